#include <gtest/gtest.h>

#include <filesystem>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/files.hpp"
#include "base/free_with.hpp"
#include "ksn/provider.hpp"
#include "ksn/setup.hpp"
#include "ksn_store/store.hpp"
#include "support/temporary_folder.hpp"
#include "trust/json.hpp"

namespace picket::ksn_tool {
namespace {

namespace fs = std::filesystem;

using Certificate = Owned<X509, X509_free>;
Certificate read_certificate(const std::string& pem) {
  const Owned<BIO, BIO_free_all> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

class KsnSetup : public testing::Test {
 protected:
  void SetUp() override { folder_.path = root_ + "/ksn"; }
  const support::TemporaryFolder temporary_;
  const std::string root_ = temporary_.path();
  Folder folder_;
};

TEST_F(KsnSetup, makes_what_clients_and_service_need) {
  ksn_tool::Setup setup;
  setup.name = "Example's KSN";
  setup.contact = "ksn@example.org";
  setup.servers = {"https://ksn.example.org:13112", "https://192.0.2.7:13112", "https://[2001:db8::7]:13112"};
  const auto made = set_up(folder_, setup, 1'795'305'600);
  ASSERT_TRUE(made) << made.error().message;
  const auto keys = std::vector<trust::PublicKey>{trust::PublicKey::parse(trust::parse_strict(read_file(folder_.file("provider.pub.json"), 65536).value()).value().as_object()).value()};
  const auto provider = ksn::Provider::parse(read_file(folder_.file("provider.json"), 65536).value(), keys);
  ASSERT_TRUE(provider) << provider.error().message;
  EXPECT_EQ(provider->name, "Example's KSN");
  EXPECT_EQ(provider->servers, setup.servers);
  const auto answer_key = trust::PrivateKey::from_pem(read_file(folder_.file("answers.key.pem"), 65536).value());
  ASSERT_TRUE(answer_key);
  EXPECT_EQ(provider->answer_keys[0].key_id(), answer_key->public_key().key_id());
  for (const auto* secret : {"answers.key.pem", "provider.key.pem", "tls/server.key", "tls/authority.key"}) EXPECT_EQ(fs::status(folder_.file(secret)).permissions() & fs::perms(0077), fs::perms::none) << secret;
  EXPECT_TRUE(ksn_store::open_store(folder_.file("store")));
  const auto settings = trust::parse_strict(read_file(folder_.settings(), 65536).value()).value().as_object();
  EXPECT_EQ(settings.at("port").as_int64(), 13112);
  EXPECT_TRUE(settings.at("licences_required").as_bool());

  const auto authority = read_certificate(provider->certificate), server = read_certificate(read_file(folder_.file("tls/server.pem"), 65536).value());
  ASSERT_TRUE(authority && server);
  EXPECT_EQ(X509_check_issued(authority.get(), server.get()), X509_V_OK);
  EXPECT_EQ(X509_verify(server.get(), X509_get0_pubkey(authority.get())), 1);
  EXPECT_EQ(X509_check_host(server.get(), "ksn.example.org", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_ip_asc(server.get(), "192.0.2.7", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(server.get(), "2001:db8::7", 0), 1);
  EXPECT_EQ(X509_check_host(server.get(), "other.example.org", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_ca(authority.get()), 1);
  EXPECT_EQ(X509_check_ca(server.get()), 0);
}

TEST_F(KsnSetup, writes_over_nothing_and_begins_nothing_that_cannot_be) {
  ksn_tool::Setup setup;
  setup.servers = {"ftp://ksn.example.org"};
  EXPECT_EQ(set_up(folder_, setup, 0).error().code, Code::invalid);
  setup.servers = {"https://ksn.example.org/path"};
  EXPECT_EQ(set_up(folder_, setup, 0).error().code, Code::invalid);
  setup.servers = {};
  setup.name = std::string(300, 'x');
  EXPECT_EQ(set_up(folder_, setup, 0).error().code, Code::invalid);
  setup.name = "KSN";
  setup.certificate = "/nonexistent";
  EXPECT_EQ(set_up(folder_, setup, 0).error().message, "--certificate and --key belong together");
  setup.certificate.clear();
  setup.listen = "localhost";
  EXPECT_EQ(set_up(folder_, setup, 0).error().message, "--listen: 'localhost' is no IP address of this computer; 0.0.0.0 or :: are all");
  setup.listen = "::";
  setup.store = "relative";
  EXPECT_EQ(set_up(folder_, setup, 0).error().code, Code::invalid);
  EXPECT_FALSE(fs::exists(folder_.path));
  setup.store.clear();
  ASSERT_TRUE(set_up(folder_, setup, 0));
  const auto key = read_file(folder_.file("answers.key.pem"), 65536).value();
  EXPECT_EQ(set_up(folder_, setup, 0).error().code, Code::conflict);
  fs::remove(folder_.settings());
  EXPECT_EQ(set_up(folder_, setup, 0).error().message, folder_.file("answers.key.pem") + " exists already");
  EXPECT_EQ(read_file(folder_.file("answers.key.pem"), 65536).value(), key);
}

TEST_F(KsnSetup, takes_certificates_and_a_store_of_the_organisation) {
  ksn_tool::Setup setup;
  setup.certificate = "/etc/ssl/ksn.pem";
  setup.key = "/etc/ssl/ksn.key";
  setup.store = "redis:127.0.0.1:1";
  setup.licences_required = false;
  ASSERT_TRUE(set_up(folder_, setup, 0));
  const auto settings = trust::parse_strict(read_file(folder_.settings(), 65536).value()).value().as_object();
  EXPECT_EQ(settings.at("certificate").as_string(), "/etc/ssl/ksn.pem");
  EXPECT_EQ(settings.at("store").as_string(), "redis:127.0.0.1:1");
  EXPECT_FALSE(fs::exists(folder_.file("tls/server.key")));
}

}  // namespace
}  // namespace picket::ksn_tool
