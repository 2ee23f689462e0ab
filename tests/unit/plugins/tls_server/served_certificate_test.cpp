#include "tls_server/served_certificate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/x509.h>
#include <sys/resource.h>

#include "base/files.hpp"
#include "support/server_process.hpp"
#include "support/tls_certificate.hpp"

namespace {

using picket::support::ServerFolder;
using testing::HasSubstr;
using tls_server::ServedCertificate;

class RenewedCertificate : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(picket::support::make_certificate(certificate_, key_));
    auto opened = ServedCertificate::open(certificate_, key_);
    ASSERT_TRUE(opened) << opened.error().message;
    served_ = std::move(*opened);
  }
  std::string given() const {
    const auto connection = served_->connection();
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EXPECT_EQ(::X509_digest(::SSL_get_certificate(connection.get()), ::EVP_sha256(), digest, &size), 1);
    return {reinterpret_cast<const char*>(digest), size};
  }
  const ServerFolder folder_;
  const std::filesystem::path certificate_ = folder_ / "c.pem", key_ = folder_ / "k.pem";
  std::unique_ptr<ServedCertificate> served_;
};

TEST_F(RenewedCertificate, is_given_to_who_comes_later) {
  const auto before = given();
  const auto kept = served_->connection();
  EXPECT_FALSE(served_->look().value()) << "nothing changed";
  ASSERT_TRUE(picket::support::make_certificate(certificate_, key_));
  EXPECT_TRUE(served_->look().value());
  EXPECT_NE(given(), before);
  EXPECT_FALSE(served_->look().value());
  EXPECT_NE(::SSL_get_certificate(kept.get()), nullptr) << "who came earlier keeps what it was given";
}

TEST_F(RenewedCertificate, that_cannot_be_used_changes_nothing_and_is_told_once) {
  const auto before = given();
  ASSERT_TRUE(picket::write_file_atomic(certificate_, "no PEM"));
  const auto looked = served_->look();
  ASSERT_FALSE(looked);
  EXPECT_THAT(looked.error().message, HasSubstr("is no certificate in PEM"));
  EXPECT_EQ(given(), before);
  EXPECT_FALSE(served_->look().value());
  // Two files cannot be replaced at once.
  ASSERT_TRUE(picket::support::make_certificate(certificate_, folder_ / "later.pem"));
  EXPECT_THAT(served_->look().error().message, HasSubstr("does not belong to"));
  std::filesystem::rename(folder_ / "later.pem", key_);
  EXPECT_TRUE(served_->look().value());
  EXPECT_NE(given(), before);
}

TEST_F(RenewedCertificate, that_could_not_be_read_for_a_moment_is_read_at_the_next_look) {
  const auto before = given();
  ASSERT_TRUE(picket::support::make_certificate(certificate_, key_));
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  auto none = files;
  none.rlim_cur = 0;  // as when a server's connections have taken them all: the files are there, and the same
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto first = served_->look(), second = served_->look();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  ASSERT_FALSE(first);
  EXPECT_THAT(first.error().message, HasSubstr(certificate_.native()));
  ASSERT_TRUE(second) << "told once: " << second.error().message;
  EXPECT_FALSE(*second);
  EXPECT_EQ(given(), before);
  EXPECT_TRUE(served_->look().value());
  EXPECT_NE(given(), before);
  EXPECT_FALSE(served_->look().value());
}

TEST_F(RenewedCertificate, that_is_gone_is_served_on) {
  const auto before = given();
  std::filesystem::remove(key_);
  EXPECT_THAT(served_->look().error().message, HasSubstr(key_.native()));
  EXPECT_EQ(given(), before);
}

}  // namespace
