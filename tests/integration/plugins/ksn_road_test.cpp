// The KSN client, the KSN proxy and the private KSN as they ship, in one process: what a device says of a KSN that knows no licence of it, has lost
// its store, or is away behind a proxy.
#include <gmock/gmock.h>

#include <picket/testing/fake_host.hpp>

#include <boost/json.hpp>

#include <filesystem>

#include "base/files.hpp"
#include "ksn/provider.hpp"
#include "ksn_store/store.hpp"
#include "picket/ksn/v1/check.pb.h"
#include "picket/ksn/v1/control.pb.h"
#include "support/server_process.hpp"
#include "support/tls_certificate.hpp"

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace v1 = picket::ksn::v1;
using namespace std::chrono_literals;
using testing::HasSubstr;

class Plugin {
 public:
  Plugin(const char* library, const char* id) : id_(id) {
    EXPECT_TRUE(host_.load(library)) << host_.why();
  }
  ~Plugin() {
    stop();
    EXPECT_THAT(host_.violations(), testing::IsEmpty());
  }
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;
  void start(const json::object& settings) {
    ASSERT_EQ(host_.create(id_), PICKET_OK) << host_.error();
    ASSERT_EQ(host_.start(json::serialize(settings)), PICKET_OK) << host_.error();
  }
  void stop() {
    host_.stop(5000);
    host_.destroy();
  }
  template <class Reply, class Request>
  Reply ask(const std::string& topic, const Request& request) {
    const auto id = host_.request({.topic = topic, .payload = request.SerializeAsString(), .timeout_ms = 15'000});
    EXPECT_TRUE(host_.wait_for([&] { return host_.answer(id).done; }, 20s)) << topic;
    const auto answer = host_.answer(id);
    Reply reply;
    EXPECT_EQ(answer.status, PICKET_OK) << topic << ": " << answer.payload;
    EXPECT_TRUE(answer.status != PICKET_OK || reply.ParseFromString(answer.payload));
    return reply;
  }
  bool wait(const std::function<bool()>& until) { return host_.wait_for(until, 30s); }

 private:
  const char* id_;
  picket::testing::FakeHost host_;
};

struct KsnRoad : testing::Test {
  picket::support::ServerFolder folder;
  const picket::trust::PrivateKey answers = picket::trust::PrivateKey::generate("ed25519").value();
  Plugin service{PICKET_KSN_SERVICE, "org.picket.ksn-service"}, proxy{PICKET_KSN_PROXY, "org.picket.ksn-proxy"}, client{PICKET_KSN_CLIENT, "org.picket.ksn-client"};
  std::int64_t port = 0;
  json::object settings;  // the client's

  void SetUp() override {
    ASSERT_TRUE(picket::support::make_certificate(folder / "tls.pem", folder / "tls.key.pem"));
    ASSERT_TRUE(picket::write_file_atomic(folder / "answers.key.pem", answers.to_pem().value(), 0600));
    know("good", true);
    start_service();
    ASSERT_TRUE(picket::make_folders(folder / "keys"));
    const auto signer = picket::trust::PrivateKey::generate("ed25519").value();
    picket::ksn::Provider provider;
    provider.name = "Test KSN";
    provider.contact = "ksn@example.org";
    provider.created = 1'700'000'000;
    provider.servers = {picket::cat("https://127.0.0.1:", std::to_string(port))};
    provider.answer_keys = {answers.public_key()};
    provider.certificate = picket::read_file(folder / "tls.pem", 1 << 20).value();
    picket::trust::DsseEnvelope envelope{std::string(picket::ksn::kProviderType), provider.to_json(), {}};
    ASSERT_TRUE(envelope.sign(signer));
    ASSERT_TRUE(picket::write_file_atomic(folder / "provider.json", envelope.to_json()));
    ASSERT_TRUE(picket::write_file_atomic(folder / "keys" / "a.pub.json", json::serialize(signer.public_key().to_json())));
    settings = {{"provider_file", (folder / "provider.json").native()}, {"provider_keys", (folder / "keys").native()}, {"statements_folder", PICKET_STATEMENTS}, {"folder", (folder / "client").native()},
                {"licence", "good"}, {"use_proxy", false}, {"web_proxy", "none"}, {"fallback_resolvers", json::array()}, {"cache_mb", 1}, {"heartbeat_seconds", 1}, {"rest_seconds", 1}, {"longest_rest_seconds", 1}};
  }
  void know(const std::string& licence, bool makes_it = false) const {
    auto store = picket::ksn_store::open_store((folder / "store").native(), makes_it);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE((*store)->put_licence({licence, false, 0, ""}));
  }
  void start_service() {
    service.start({{"enabled", true}, {"name", "Test KSN"}, {"listen", "127.0.0.1"}, {"port", port}, {"store", (folder / "store").native()}, {"answer_key", (folder / "answers.key.pem").native()},
                   {"certificate", (folder / "tls.pem").native()}, {"key", (folder / "tls.key.pem").native()}});
    const auto said = service.ask<v1::ServerStatusReply>("picket.ksn.service.status", v1::ServerStatusRequest());
    ASSERT_EQ(said.addresses_size(), 1) << said.state();
    port = std::stoi(said.addresses(0).substr(said.addresses(0).rfind(':') + 1));
  }
  void start_proxy() {
    proxy.start({{"enabled", true}, {"address", "127.0.0.1"}, {"port", 0}, {"longest_rest_seconds", 1}, {"folder", (folder / "proxy").native()},
                 {"provider_file", (folder / "provider.json").native()}, {"provider_keys", (folder / "keys").native()}});
    const auto said = proxy.ask<v1::ServerStatusReply>("picket.ksn.proxy.status", v1::ServerStatusRequest());
    ASSERT_EQ(said.addresses_size(), 1) << said.state();
    settings["use_proxy"] = true;
    settings["proxy"] = said.addresses(0).substr(said.addresses(0).find(' ') + 1);
    settings["proxy_certificate"] = (folder / "proxy/tls/server.pem").native();
  }
  void accept() {
    const auto shown = client.ask<v1::StatementReply>("picket.ksn.statement", v1::StatementRequest());
    v1::DecideRequest request;
    request.set_accept(true);
    request.set_digest(shown.statement().digest());
    request.set_who("ann");
    (void)client.ask<v1::DecideReply>("picket.ksn.decide", request);
  }
  v1::StatusReply status() { return client.ask<v1::StatusReply>("picket.ksn.status", v1::StatusRequest()); }
  bool comes_to(const std::string& words) {
    return client.wait([&] { return status().status() == words; });
  }
  v1::Connection connection() {
    const auto reply = client.ask<v1::ConnectionReply>("picket.ksn.connection", v1::ConnectionRequest());
    EXPECT_EQ(reply.tried_size(), 1);
    return reply.tried_size() == 1 ? reply.tried(0) : v1::Connection();
  }
  v1::Checked check(char digest) {
    v1::CheckRequest request;
    request.add_objects()->set_file_digest(std::string(32, digest));
    const auto reply = client.ask<v1::CheckReply>("picket.ksn.check", request);
    return reply.checked_size() == 1 ? reply.checked(0) : v1::Checked();
  }
};

TEST_F(KsnRoad, a_licence_that_the_provider_does_not_know_is_an_authentication_error_in_every_exchange) {
  settings["licence"] = "other";
  client.start(settings);
  accept();
  for (const bool again : {false, true}) {
    if (again) {
      client.stop();
      client.start(settings);  // greets anew
    }
    ASSERT_TRUE(comes_to("Enabled. Not available")) << status().line();
    EXPECT_THAT(status().cause(), HasSubstr("authentication error, the licence is not known to the provider"));
    EXPECT_THAT(check('a').why(), HasSubstr("rests"));
    const auto tried = connection();
    EXPECT_FALSE(tried.works());
    EXPECT_THAT(tried.text(), HasSubstr("authentication error"));
    EXPECT_EQ(status().status(), "Enabled. Not available");
  }
  service.stop();  // one process does not open the store twice
  know("other");
  start_service();
  EXPECT_TRUE(connection().works());
  EXPECT_EQ(status().status(), "Enabled");
  EXPECT_EQ(check('a').from(), v1::Checked::SERVER);
}

TEST_F(KsnRoad, a_service_without_its_store_is_not_available) {
  fs::rename(folder / "store", folder / "away");
  client.start(settings);
  accept();
  ASSERT_TRUE(client.wait([&] { return !connection().works(); })) << "the service looks once a second";
  client.stop();
  client.start(settings);
  ASSERT_TRUE(comes_to("Enabled. Not available")) << status().line();
  EXPECT_THAT(status().cause(), HasSubstr("the service cannot reach its store now"));
  EXPECT_THAT(connection().text(), HasSubstr("the service cannot reach its store now"));
  EXPECT_EQ(status().status(), "Enabled. Not available");
  fs::rename(folder / "away", folder / "store");
  EXPECT_TRUE(client.wait([&] { return connection().works(); }));
  EXPECT_EQ(status().status(), "Enabled");
}

TEST_F(KsnRoad, a_proxy_says_no_more_than_the_ksn_behind_it) {
  start_proxy();
  client.start(settings);
  accept();
  ASSERT_TRUE(client.wait([&] { return status().last_exchange() != 0; })) << status().line();
  EXPECT_EQ(status().status(), "Enabled");
  EXPECT_EQ(check('a').from(), v1::Checked::PROXY);
  service.stop();
  EXPECT_EQ(check('b').from(), v1::Checked::NOBODY);
  client.stop();
  client.start(settings);  // and has heard nothing since
  ASSERT_TRUE(comes_to("Enabled. Not available")) << status().line();
  EXPECT_THAT(status().cause(), HasSubstr("the KSN behind the proxy cannot be reached"));
  EXPECT_FALSE(connection().works());
  EXPECT_EQ(status().status(), "Enabled. Not available");
  start_service();
  EXPECT_TRUE(comes_to("Enabled")) << "by itself: " << status().line();
  EXPECT_EQ(check('b').from(), v1::Checked::PROXY);
}

TEST_F(KsnRoad, a_proxy_greets_nobody_whose_licence_the_ksn_does_not_know) {
  start_proxy();
  settings["licence"] = "other";
  client.start(settings);
  accept();
  ASSERT_TRUE(comes_to("Enabled. Not available")) << status().line();
  EXPECT_THAT(status().cause(), HasSubstr("authentication error, the licence is not known to the provider"));
  EXPECT_THAT(connection().text(), HasSubstr("authentication error"));
  EXPECT_EQ(status().status(), "Enabled. Not available");
}

}  // namespace
