// A KSN behind TLS that signs, the provider's file that an administrator gets of it, and a client that posts: what a proxy stands between.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include <ctime>
#include <optional>

#include "base/files.hpp"
#include "fake_ksn.hpp"
#include "ksn/provider.hpp"
#include "ksn_channel/channel.hpp"
#include "support/server_process.hpp"
#include "tls_server/own_certificate.hpp"
#include "trust/dsse.hpp"

namespace picket::ksn_proxy_tests {

class KsnWorld {
 public:
  KsnWorld() {
    ksn_.now = static_cast<std::int64_t>(std::time(nullptr));
    start_ksn(*support::free_port());
    provider_.name = "test";
    provider_.contact = "ksn@example.org";
    provider_.created = 1'700'000'000;
    provider_.private_ksn = true;
    provider_.servers = {cat("https://localhost:", std::to_string(port()))};
    provider_.answer_keys = {ksn_.public_key()};
    provider_.certificate = *read_file(folder_ / "ksn" / "server.pem", 1 << 20);
    write_provider();
    EXPECT_TRUE(make_folders(folder_ / "keys"));
    EXPECT_TRUE(write_file_atomic(folder_ / "keys" / "a.pub.json", boost::json::serialize(key_.public_key().to_json())));
    channel_ = *ksn_channel::Channel::start();
  }

  void write_provider() {
    trust::DsseEnvelope envelope{std::string(ksn::kProviderType), provider_.to_json(), {}};
    EXPECT_TRUE(envelope.sign(key_));
    EXPECT_TRUE(write_file_atomic(folder_ / "provider.json", envelope.to_json()));
  }

  void start_ksn(std::uint16_t port) {
    const auto files = tls_server::own_certificate(folder_ / "ksn", {"localhost", "127.0.0.1"});
    ASSERT_TRUE(files);
    ksn_server::Settings settings;
    settings.port = port;
    settings.certificate_file = files->certificate;
    settings.key_file = files->key;
    auto server = ksn_server::Server::start(settings, [this](const ksn_server::Request& request, ksn_server::Reply reply) {
      ++arrived_;
      const auto posted = ksn_.work(request.path, std::string(request.body));
      std::move(reply).send(posted ? posted->status : 503, posted ? posted->body : std::string());
    });
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }
  void stop_ksn() { server_.reset(); }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }

  // Of a proxy; `more` begins with a comma.
  [[nodiscard]] std::string settings(std::string_view more = "") const {
    return cat(R"({"enabled":true,"address":"127.0.0.1","port":0,"longest_rest_seconds":1,"answer_timeout_ms":60000,"folder":")", (folder_ / "proxy").native(), R"(","provider_file":")",
               (folder_ / "provider.json").native(), R"(","provider_keys":")", (folder_ / "keys").native(), "\"", more, "}");
  }
  // To a proxy that says it listens on "https 127.0.0.1:PORT".
  [[nodiscard]] ksn_channel::Road road(const std::string& address) const {
    return {cat("https://", address.substr(address.find(' ') + 1)), *read_file(folder_ / "proxy" / "tls" / "server.pem", 1 << 20), {}, {}};
  }
  Result<ksn_channel::Answer> post(const ksn_channel::Road& road, std::string_view path, std::string body) {
    std::mutex mutex;
    std::condition_variable came;
    std::optional<Result<ksn_channel::Answer>> out;
    channel_->post(road, path, std::move(body), std::chrono::seconds(60), [&](Result<ksn_channel::Answer> answer) {
      const std::lock_guard lock(mutex);
      out = std::move(answer);
      came.notify_one();
    });
    std::unique_lock lock(mutex);
    came.wait(lock, [&] { return out.has_value(); });
    return std::move(*out);
  }

  support::ServerFolder folder_;
  FakeKsn ksn_;
  ksn::Provider provider_;
  const trust::PrivateKey key_ = *trust::PrivateKey::generate("ed25519");
  std::atomic<int> arrived_{0};

 private:
  std::unique_ptr<ksn_server::Server> server_;
  std::unique_ptr<ksn_channel::Channel> channel_;
};

}  // namespace picket::ksn_proxy_tests
