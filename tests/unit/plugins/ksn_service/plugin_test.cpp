// The shared object that ships, asked over HTTPS.
#include <gtest/gtest.h>

#include <picket/testing/fake_host.hpp>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include <stdlib.h>

#include "base/files.hpp"
#include "ksn/answers.hpp"
#include "ksn_channel/channel.hpp"
#include "ksn_store/store.hpp"
#include "picket/ksn/v1/control.pb.h"
#include "picket/ksn/v1/wire.pb.h"
#include "support/temporary_folder.hpp"
#include "support/tls_certificate.hpp"

namespace {

namespace fs = std::filesystem;
namespace v1 = picket::ksn::v1;
using picket::testing::FakeHost;

class KsnServicePlugin : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(picket::support::make_certificate(folder_ + "/tls.pem", folder_ + "/tls.key.pem"));
    ASSERT_TRUE(picket::write_file_atomic(folder_ + "/answers.key.pem", key_.to_pem().value(), 0600));
    auto store = picket::ksn_store::open_store(folder_ + "/store", true).value();
    std::vector<picket::ksn_store::Row> rows{picket::ksn_store::row_of(std::string(32, 'a'), {3, "malware", "Test", {}, {}, 0, 0, {}})};
    ASSERT_TRUE(store->put(v1::OBJECT_FILE, rows));
    store.reset();
    host_.allow({.publishes = std::vector<std::string>{}, .subscribes = std::vector<std::string>{}, .answers = std::vector<std::string>{"picket.ksn.service.status"}, .asks = std::vector<std::string>{}});
    ASSERT_TRUE(host_.load(PICKET_TEST_LIBRARY)) << host_.why();
    ASSERT_EQ(host_.create("org.picket.ksn-service"), PICKET_OK) << host_.error();
  }
  void TearDown() override {
    host_.stop();
    host_.destroy();
    EXPECT_EQ(host_.violations(), std::vector<std::string>{});
  }
  std::string settings(const std::string& more = {}) const {
    return R"({"enabled":true,"name":"example","listen":"127.0.0.1","port":0,"licences_required":false,"store":")" + folder_ + R"(/store","answer_key":")" + folder_ + R"(/answers.key.pem","certificate":")" + folder_ +
           R"(/tls.pem","key":")" + folder_ + R"(/tls.key.pem")" + more + "}";
  }
  v1::ServerStatusReply status() {
    const auto id = host_.request({.topic = "picket.ksn.service.status", .payload = v1::ServerStatusRequest().SerializeAsString()});
    EXPECT_TRUE(host_.wait_for([&] { return host_.answer(id).done; }, std::chrono::seconds(60)));
    v1::ServerStatusReply reply;
    EXPECT_TRUE(reply.ParseFromString(host_.answer(id).payload));
    return reply;
  }
  picket::Result<ksn_channel::Answer> post(const std::string& path, std::string body) {
    ksn_channel::Road road;
    road.base_url = "https://" + status().addresses(0);
    road.certificate = picket::read_file(folder_ + "/tls.pem", 65536).value();
    std::mutex mutex;
    std::condition_variable news;
    std::optional<picket::Result<ksn_channel::Answer>> out;
    channel_->post(road, path, std::move(body), std::chrono::seconds(60), [&](picket::Result<ksn_channel::Answer> answer) {
      const std::lock_guard lock(mutex);
      out = std::move(answer);
      news.notify_all();
    });
    std::unique_lock lock(mutex);
    news.wait(lock, [&] { return out.has_value(); });
    return *out;
  }
  static v1::AskRequest request() {
    v1::AskRequest request;
    auto* questions = request.add_questions();
    questions->set_kind(v1::OBJECT_FILE);
    questions->set_length(32);
    questions->set_digests(std::string(32, 'a') + std::string(32, 'b'));
    return request;
  }
  static std::string question() { return request().SerializeAsString(); }
  static picket::Result<std::vector<picket::ksn::Proven>> verified(const v1::AskReply& reply, const picket::trust::PrivateKey& key) {
    const auto asked = request();
    return picket::ksn::Verifier({key.public_key()}, "example", true).verify(reply, picket::ksn::questions_of(asked), std::time(nullptr));
  }

  const picket::support::TemporaryFolder temporary_;
  const std::string folder_ = temporary_.path();
  picket::trust::PrivateKey key_ = picket::trust::PrivateKey::generate("ed25519").value();
  std::unique_ptr<ksn_channel::Channel> channel_ = ksn_channel::Channel::start().value();
  FakeHost host_;
};

TEST_F(KsnServicePlugin, answers_over_https_what_a_client_believes) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  const auto answer = post("/ksn/v1/ask", question());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->protocol, "HTTP/2");
  v1::AskReply reply;
  ASSERT_TRUE(reply.ParseFromString(answer->body));
  const auto proven = verified(reply, key_);
  ASSERT_TRUE(proven) << proven.error().message;
  v1::Facts facts;
  ASSERT_TRUE(facts.ParseFromString(std::string((*proven)[0].said)));
  EXPECT_EQ(facts.threat(), "Test");
  const auto now = status();
  EXPECT_EQ(now.counters().at("digests"), 2u);
  EXPECT_EQ(now.counters().at("known"), 1u);
  EXPECT_EQ(now.state(), "private KSN \"example\": LMDB " + folder_ + "/store");
}

TEST_F(KsnServicePlugin, says_at_its_start_that_no_sample_can_be_kept) {
  ASSERT_EQ(host_.start(settings(R"(,"samples":{"folder":")" + folder_ + R"(/tls.pem/samples"})")), PICKET_OK) << host_.error();
  const auto logs = host_.logs();
  EXPECT_TRUE(std::ranges::any_of(logs, [](const auto& log) { return log.text.starts_with("setting samples.folder: no sample can be kept: "); }));
}

TEST_F(KsnServicePlugin, says_without_a_client_that_no_node_of_its_cluster_answers) {
  auto without = settings();
  const auto store = folder_ + "/store";
  without.replace(without.find(store), store.size(), "redis:127.0.0.1:1");
  ASSERT_EQ(host_.start(without), PICKET_OK) << host_.error();
  host_.advance(1000);
  EXPECT_TRUE(host_.wait_for([&] { return host_.shown().health == PICKET_HEALTH_FAILED; }, std::chrono::seconds(60))) << status().state();
  EXPECT_NE(host_.shown().text.find("no node of the Redis cluster answers"), std::string::npos) << host_.shown().text;
}

TEST_F(KsnServicePlugin, starts_without_its_store_says_so_and_recovers) {
  fs::rename(folder_ + "/store", folder_ + "/away");
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  ASSERT_FALSE(host_.health().empty());
  EXPECT_EQ(host_.health().back().health, PICKET_HEALTH_FAILED);
  EXPECT_EQ(host_.health().back().text, "store " + folder_ + "/store: there is none: picket-ksn init makes it");
  EXPECT_EQ(host_.shown().health, PICKET_HEALTH_FAILED) << "that its settings were taken does not hide it";
  const auto away = post("/ksn/v1/ask", question());
  ASSERT_TRUE(away) << away.error().message;
  EXPECT_EQ(away->status, 503);
  v1::Refusal refusal;
  ASSERT_TRUE(refusal.ParseFromString(away->body));
  EXPECT_EQ(refusal.why(), v1::Refusal::UNAVAILABLE);
  fs::rename(folder_ + "/away", folder_ + "/store");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (post("/ksn/v1/ask", question()).value().status != 200) ASSERT_LT(std::chrono::steady_clock::now(), until);
  EXPECT_EQ(host_.shown().health, PICKET_HEALTH_HEALTHY);
}

TEST_F(KsnServicePlugin, takes_statistics_and_content_on_its_workers) {
  ASSERT_EQ(host_.start(settings(",\"samples\":{\"folder\":\"" + folder_ + "/samples\",\"wish_unknown\":true}")), PICKET_OK) << host_.error();
  v1::StatisticsRequest statistics;
  statistics.mutable_asker()->set_extended(true);
  statistics.set_id(std::string(16, 's'));
  (*statistics.mutable_counters())["files"] = 2;
  EXPECT_EQ(post("/ksn/v1/statistics", statistics.SerializeAsString())->status, 200);
  v1::ContentRequest content;
  content.mutable_asker()->set_extended(true);
  content.set_digest(std::string(32, 'c'));
  content.set_size(2'000'000);
  content.set_part(std::string(1'000'000, 'x'));
  const auto answer = post("/ksn/v1/content", content.SerializeAsString());
  ASSERT_TRUE(answer) << answer.error().message;
  v1::ContentReply reply;
  ASSERT_TRUE(reply.ParseFromString(answer->body));
  EXPECT_EQ(reply.held(), 1'000'000u);
  EXPECT_EQ(post("/ksn/v1/other", "")->status, 404);
}

TEST_F(KsnServicePlugin, signs_with_another_key_when_its_file_is_exchanged) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  const auto signed_by = [&](const picket::trust::PrivateKey& key) {
    v1::AskReply reply;
    return reply.ParseFromString(post("/ksn/v1/ask", question()).value().body) && verified(reply, key).has_value();
  };
  EXPECT_TRUE(signed_by(key_));
  const auto other = picket::trust::PrivateKey::generate("ed25519").value();
  ASSERT_TRUE(picket::write_file_atomic(folder_ + "/next.pem", other.to_pem().value(), 0600));
  fs::rename(folder_ + "/next.pem", folder_ + "/answers.key.pem");
  host_.advance(1000);
  EXPECT_TRUE(signed_by(other));
  ASSERT_TRUE(picket::write_file_atomic(folder_ + "/answers.key.pem", "no key", 0600));
  host_.advance(1000);
  EXPECT_TRUE(signed_by(other));  // and a warning
}

TEST_F(KsnServicePlugin, serves_a_renewed_certificate_without_being_started_again) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  EXPECT_EQ(post("/ksn/v1/ask", question())->status, 200);
  ASSERT_TRUE(picket::support::make_certificate(folder_ + "/tls.pem", folder_ + "/tls.key.pem"));
  channel_ = ksn_channel::Channel::start().value();  // no connection from before
  EXPECT_FALSE(post("/ksn/v1/ask", question())) << "nobody has looked yet, so that what follows shows something";
  host_.advance(1000);
  const auto renewed = post("/ksn/v1/ask", question());
  ASSERT_TRUE(renewed) << renewed.error().message;
  EXPECT_EQ(renewed->protocol, "HTTP/2");
  ASSERT_TRUE(picket::write_file_atomic(folder_ + "/next.pem", "no certificate"));
  const auto good = picket::read_file(folder_ + "/tls.pem", 65536).value();
  fs::rename(folder_ + "/next.pem", folder_ + "/tls.pem");
  host_.advance(1000);
  const auto logs = host_.logs();
  EXPECT_TRUE(std::ranges::any_of(logs, [](const auto& log) { return log.text.starts_with("the certificate was replaced by what cannot be used, and the former one is served on: "); }));
  ASSERT_TRUE(picket::write_file_atomic(folder_ + "/tls.pem", good));
  channel_ = ksn_channel::Channel::start().value();
  EXPECT_TRUE(post("/ksn/v1/ask", question()));
}

TEST_F(KsnServicePlugin, serves_nobody_before_it_can_and_tries_again) {
  const auto key = folder_ + "/answers.key.pem";
  fs::rename(key, key + ".away");
  ASSERT_EQ(host_.start(settings(), 1), PICKET_OK) << host_.error();
  EXPECT_EQ(host_.shown().health, PICKET_HEALTH_FAILED);
  EXPECT_EQ(status().state().find("serves nobody, and tries again: setting answer_key"), 0u) << status().state();
  fs::rename(key + ".away", key);
  host_.advance(5'000);
  EXPECT_EQ(host_.shown().health, PICKET_HEALTH_HEALTHY) << host_.shown().text;
  EXPECT_EQ(post("/ksn/v1/ask", question())->status, 200);
}

TEST_F(KsnServicePlugin, is_not_healthy_for_a_moment_while_it_tries_again_to_serve) {
  ASSERT_TRUE(picket::write_file_atomic(folder_ + "/tls.pem", "no certificate"));
  ASSERT_EQ(host_.start(settings(), 1), PICKET_OK) << host_.error();
  const auto before = host_.health().size();
  for (int tries = 0; tries < 3; ++tries) host_.advance(5'000);
  const auto said = host_.health();
  EXPECT_GT(said.size(), before) << "it was tried again";
  EXPECT_TRUE(std::all_of(said.begin() + static_cast<std::ptrdiff_t>(before), said.end(), [](const auto& each) { return each.health == PICKET_HEALTH_FAILED; }));
  EXPECT_TRUE(std::ranges::none_of(host_.logs(), [](const auto& log) { return log.text.starts_with("store: "); })) << "what nobody is served from is no news";
}

TEST_F(KsnServicePlugin, names_what_is_wrong_with_its_settings_and_keeps_the_old) {
  ASSERT_EQ(host_.start(settings(), 1), PICKET_OK) << host_.error();
  EXPECT_EQ(host_.apply(settings(",\"answer_key\":\"/nonexistent/key\""), 2), PICKET_E_NOT_FOUND);
  EXPECT_NE(host_.error().find("setting answer_key"), std::string::npos) << host_.error();
  EXPECT_EQ(host_.apply(settings(",\"certificate\":\"\""), 3), PICKET_E_INVALID);
  EXPECT_EQ(post("/ksn/v1/ask", question())->status, 200);
  EXPECT_EQ(host_.apply("{}", 4), PICKET_OK);
  EXPECT_EQ(status().state(), "the private KSN is switched off: setting enabled");
  EXPECT_EQ(host_.observed().back().revision, 4u);
}

}  // namespace
