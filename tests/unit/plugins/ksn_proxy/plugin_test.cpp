// The plugin as it ships, in the SDK's FakeHost, between a KSN that signs (behind TLS) and a client that trusts nothing.
#include <gtest/gtest.h>

#include <picket/testing/fake_host.hpp>

#include "base/machine.hpp"
#include "ksn_world.hpp"
#include "picket/ksn/v1/control.pb.h"

using namespace picket::ksn_proxy_tests;
using picket::testing::FakeHost;
namespace ksn = picket::ksn;
namespace json = boost::json;

namespace {

class KsnProxyPlugin : public ::testing::Test, protected KsnWorld {
 protected:
  void SetUp() override {
    host_.allow({.publishes = std::vector<std::string>{}, .subscribes = std::vector<std::string>{}, .answers = std::vector<std::string>{"picket.ksn.proxy.status"},
                 .asks = std::vector<std::string>{}});
    ASSERT_TRUE(host_.load(PICKET_TEST_LIBRARY)) << host_.why();
    ASSERT_EQ(host_.create("org.picket.ksn-proxy"), PICKET_OK) << host_.error();
  }
  void TearDown() override {
    host_.stop();
    host_.destroy();
    EXPECT_EQ(host_.violations(), std::vector<std::string>{});
  }
  ksn::v1::ServerStatusReply status() {
    const auto id = host_.request({.topic = "picket.ksn.proxy.status", .payload = ""});
    EXPECT_TRUE(host_.wait_for([&] { return host_.answer(id).done; }, std::chrono::seconds(60)));
    ksn::v1::ServerStatusReply out;
    EXPECT_TRUE(out.ParseFromString(host_.answer(id).payload));
    return out;
  }
  [[nodiscard]] ksn_channel::Road road() { return KsnWorld::road(status().addresses(0)); }

  FakeHost host_;
};

TEST_F(KsnProxyPlugin, does_nothing_while_it_is_off) {
  ASSERT_EQ(host_.start("{}"), PICKET_OK) << host_.error();
  EXPECT_EQ(status().state(), "off: setting enabled");
  EXPECT_EQ(status().addresses_size(), 0);
}

TEST_F(KsnProxyPlugin, answers_over_tls_what_the_ksn_signed_and_keeps_it) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  const auto proxy = road();
  for (int round = 0; round < 2; ++round) {
    const auto body = ask_of({digest_of(1), digest_of(2)});
    const auto answer = post(proxy, "/ksn/v1/ask", body);
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_EQ(answer->status, 200);
    EXPECT_EQ(answer->protocol, "HTTP/2");
    v1::AskReply reply;
    ASSERT_TRUE(reply.ParseFromString(answer->body));
    v1::AskRequest request;
    ASSERT_TRUE(request.ParseFromString(body));
    const auto verified = ksn_.verifier().verify(reply, ksn::questions_of(request), ksn_.now);
    ASSERT_TRUE(verified) << verified.error().message;
  }
  EXPECT_EQ(arrived_, 1);
  const auto said = status();
  EXPECT_TRUE(said.state().starts_with("serves the KSN \"test\" (private) on 127.0.0.1:")) << said.state();
  EXPECT_EQ(said.counters().at("from_cache"), 2u);
  EXPECT_EQ(said.counters().at("upstream_questions"), 2u);
  EXPECT_NE(said.upstream().find("answers"), std::string::npos);
  const auto hello = post(proxy, "/ksn/v1/hello", "");
  ASSERT_TRUE(hello);
  ksn::v1::HelloReply whose;
  ASSERT_TRUE(whose.ParseFromString(hello->body));
  EXPECT_TRUE(whose.proxy());
  EXPECT_EQ(whose.ksn(), "test");
  const auto nothing = post(proxy, "/ksn/v2/ask", "");
  ASSERT_TRUE(nothing);
  EXPECT_EQ(nothing->status, 404);
}

TEST_F(KsnProxyPlugin, is_not_trusted_by_who_does_not_know_its_certificate) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  auto proxy = road();
  proxy.certificate = *picket::read_file(folder_ / "ksn" / "server.pem", 1 << 20);
  const auto answer = post(proxy, "/ksn/v1/hello", "");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, picket::Code::untrusted);
}

TEST_F(KsnProxyPlugin, says_when_the_certificate_that_devices_trust_is_not_for_a_name_that_was_set_later) {
  ASSERT_EQ(host_.start(settings(R"(,"names":["one.example","127.0.0.1"])")), PICKET_OK) << host_.error();
  EXPECT_EQ(status().state().find("not for"), std::string::npos) << status().state();
  ASSERT_EQ(host_.apply(settings(R"(,"names":["two.example","127.0.0.1"])"), 2), PICKET_OK) << host_.error();
  EXPECT_NE(status().state().find(", which is not for two.example (setting names)"), std::string::npos) << status().state();
}

TEST_F(KsnProxyPlugin, serves_a_certificate_that_was_put_in_the_place_of_its_own_and_says_its_digest) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  const auto other = tls_server::own_certificate(folder_ / "other", {"127.0.0.1"});
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_EQ(status().state().find(other->digest), std::string::npos);
  std::filesystem::rename(other->key, folder_ / "proxy" / "tls" / "server.key");
  std::filesystem::rename(other->certificate, folder_ / "proxy" / "tls" / "server.pem");
  host_.advance(10'000);
  const auto answer = post(road(), "/ksn/v1/hello", "");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_NE(status().state().find(other->digest), std::string::npos) << status().state();
}

TEST_F(KsnProxyPlugin, keeps_messages_while_the_ksn_is_away_and_over_a_restart) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  const auto accepted = post(road(), "/ksn/v1/ask", ask_of({digest_of(7)}));
  ASSERT_TRUE(accepted) << accepted.error().message;
  ASSERT_EQ(accepted->status, 200);
  const auto at = port();
  stop_ksn();
  ksn::v1::StatisticsRequest statistics;
  statistics.set_id(std::string(16, 's'));
  statistics.mutable_asker()->set_licence("never accepted");
  auto answer = post(road(), "/ksn/v1/statistics", statistics.SerializeAsString());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 503);
  ksn::v1::Refusal why;
  ASSERT_TRUE(why.ParseFromString(answer->body));
  EXPECT_EQ(why.text(), "nothing is kept here for a licence that the KSN did not accept in the last 168 hours, or since the proxy started");
  EXPECT_EQ(status().counters().at("messages_no_licence"), 1u);
  EXPECT_EQ(status().counters().at("waiting_messages"), 0u);
  statistics.mutable_asker()->set_licence("good");
  answer = post(road(), "/ksn/v1/statistics", statistics.SerializeAsString());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(status().counters().at("waiting_messages"), 1u);
  const auto refused = post(road(), "/ksn/v1/ask", ask_of({digest_of(1)}));
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  ASSERT_EQ(host_.stop(5000), PICKET_OK);
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  EXPECT_EQ(status().counters().at("waiting_messages"), 1u);
  start_ksn(at);
  EXPECT_TRUE(host_.wait_for([&] { return status().counters().at("messages_delivered") == 1; }, std::chrono::seconds(60)));
  EXPECT_EQ(status().counters().at("waiting_messages"), 0u);
}

TEST_F(KsnProxyPlugin, vouches_for_whom_the_ksn_accepted_over_new_settings_but_not_for_another_key) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  const auto accepted = post(road(), "/ksn/v1/ask", ask_of({digest_of(7)}));
  ASSERT_TRUE(accepted) << accepted.error().message;
  ASSERT_EQ(accepted->status, 200);
  stop_ksn();
  ksn::v1::StatisticsRequest statistics;
  statistics.mutable_asker()->set_licence("good");
  const auto send = [&](char id) {
    statistics.set_id(std::string(16, id));
    const auto answer = post(road(), "/ksn/v1/statistics", statistics.SerializeAsString());
    return answer ? answer->status : 0;
  };
  ASSERT_EQ(host_.apply(settings(R"(,"cache_mb":8)"), 2), PICKET_OK) << host_.error();
  EXPECT_EQ(send('a'), 200);
  EXPECT_NE(host_.apply(settings(R"(,"certificate":"/nonexistent","key":"/nonexistent")"), 3), PICKET_OK);
  EXPECT_EQ(send('b'), 200);
  EXPECT_EQ(status().counters().at("waiting_messages"), 2u);
  provider_.answer_keys.push_back(picket::trust::PrivateKey::generate("ed25519")->public_key());
  write_provider();
  ASSERT_EQ(host_.apply(settings(), 4), PICKET_OK) << host_.error();
  EXPECT_EQ(send('c'), 503);
}

TEST_F(KsnProxyPlugin, loses_nothing_that_waits_when_settings_for_another_ksn_are_refused_or_taken_back) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  const auto accepted = post(road(), "/ksn/v1/ask", ask_of({digest_of(7)}));
  ASSERT_TRUE(accepted) << accepted.error().message;
  ASSERT_EQ(accepted->status, 200);
  ksn_.mode = FakeKsn::Mode::away;
  ksn::v1::StatisticsRequest statistics;
  statistics.set_id(std::string(16, 's'));
  statistics.mutable_asker()->set_licence("good");
  const auto answer = post(road(), "/ksn/v1/statistics", statistics.SerializeAsString());
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->status, 200);
  const auto waiting = [&] { return status().counters().at("waiting_messages"); };
  ASSERT_EQ(waiting(), 1u);
  const auto ours = picket::read_file(folder_ / "provider.json", 1 << 20);
  provider_.answer_keys = {picket::trust::PrivateKey::generate("ed25519")->public_key()};
  write_provider();
  ASSERT_TRUE(picket::write_file_atomic(folder_ / "other.json", *picket::read_file(folder_ / "provider.json", 1 << 20)));
  ASSERT_TRUE(picket::write_file_atomic(folder_ / "provider.json", *ours));
  const auto other = picket::cat(R"(,"provider_file":")", (folder_ / "other.json").native(), "\"");
  EXPECT_NE(host_.apply(settings(other + R"(,"address":"192.0.2.1")"), 2), PICKET_OK) << "an address of nobody here";
  EXPECT_EQ(waiting(), 1u);
  ASSERT_EQ(host_.apply(settings(other), 3), PICKET_OK) << host_.error();
  EXPECT_EQ(waiting(), 0u) << "it is not for the other one";
  ASSERT_EQ(host_.apply(settings(), 4), PICKET_OK) << host_.error();
  EXPECT_EQ(waiting(), 1u);
  ksn_.mode = FakeKsn::Mode::answers;
  EXPECT_TRUE(host_.wait_for([&] { return status().counters().at("messages_delivered") == 1; }, std::chrono::seconds(60)));
}

TEST_F(KsnProxyPlugin, reads_another_provider_file_by_itself_and_keeps_the_one_before_when_it_is_no_good) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  const auto ask = [&] {
    const auto answer = post(road(), "/ksn/v1/ask", ask_of({digest_of(1)}));
    return answer ? answer->status : 0;
  };
  const auto told = [&](std::string_view text) {
    std::size_t out = 0;
    for (const auto& line : host_.logs()) out += line.text.find(text) != std::string::npos ? 1 : 0;
    return out;
  };
  const auto entries = [&] { return status().counters().at("cache_entries"); };
  ASSERT_EQ(ask(), 200);
  const auto at = status().addresses(0);

  ASSERT_TRUE(picket::write_file_atomic(folder_ / "provider.json", "nobody's"));
  host_.advance(60'000);
  const std::string_view refused = "the new provider file is refused, and the one before stays in force: setting provider_file: ";
  EXPECT_NE(status().state().find(refused), std::string::npos) << status().state();
  EXPECT_EQ(host_.shown().health, PICKET_HEALTH_DEGRADED);
  EXPECT_EQ(told(refused), 1u) << "once";
  EXPECT_EQ(ask(), 200);

  write_provider();
  host_.advance(10'000);
  EXPECT_EQ(status().state().find(refused), std::string::npos) << status().state();
  EXPECT_EQ(host_.shown().health, PICKET_HEALTH_HEALTHY);
  EXPECT_EQ(status().addresses(0), at) << "the same again: nothing was let go of";
  EXPECT_EQ(entries(), 1u);

  const auto key = picket::trust::PrivateKey::generate("ed25519");
  provider_.answer_keys = {key->public_key()};
  write_provider();
  host_.advance(10'000);
  EXPECT_EQ(entries(), 0u) << "answers by another key";
  EXPECT_EQ(ask(), 503) << "the KSN still signs with the one before";
  provider_.answer_keys = {ksn_.public_key()};
  write_provider();
  host_.advance(10'000);
  EXPECT_EQ(ask(), 200);
  EXPECT_EQ(told("the provider file is read again"), 2u);
}

TEST_F(KsnProxyPlugin, goes_back_when_new_settings_do_not_work) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  EXPECT_NE(host_.apply(settings(R"(,"certificate":"/nonexistent","key":"/nonexistent")"), 2), PICKET_OK);
  EXPECT_NE(host_.error().find("/nonexistent"), std::string::npos) << host_.error();
  const auto answer = post(road(), "/ksn/v1/ask", ask_of({digest_of(1)}));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
}

TEST_F(KsnProxyPlugin, keeps_its_answers_over_settings_that_are_refused_or_have_nothing_to_do_with_them) {
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  const auto ask = [&] {
    const auto answer = post(road(), "/ksn/v1/ask", ask_of({digest_of(1), digest_of(2)}));
    return answer ? answer->status : 0;
  };
  const auto entries = [&] { return status().counters().at("cache_entries"); };
  ASSERT_EQ(ask(), 200);
  const auto at = status().addresses(0);
  for (const auto* bad : {R"(,"certificate":"/nonexistent","key":"/nonexistent")", R"(,"provider_file":"/nonexistent")", R"(,"servers":["nonsense"])"}) {
    EXPECT_NE(host_.apply(settings(bad), 2), PICKET_OK) << bad;
    EXPECT_EQ(status().addresses(0), at) << "it went on, at a port of any number";
    EXPECT_EQ(entries(), 2u);
  }
  ASSERT_EQ(host_.apply(settings(R"(,"idle_timeout_seconds":30)"), 3), PICKET_OK) << host_.error();
  EXPECT_EQ(entries(), 2u);
  EXPECT_EQ(ask(), 200);
  EXPECT_EQ(status().counters().at("from_cache"), 2u);
  ASSERT_EQ(host_.apply(settings(R"(,"cache_mb":8)"), 4), PICKET_OK) << host_.error();
  EXPECT_EQ(entries(), 0u);
  ASSERT_EQ(ask(), 200);
  const auto key = picket::trust::PrivateKey::generate("ed25519");
  provider_.answer_keys.push_back(key->public_key());
  write_provider();
  ASSERT_EQ(host_.apply(settings(R"(,"cache_mb":8)"), 5), PICKET_OK) << host_.error();
  EXPECT_EQ(entries(), 0u) << "answers by other keys";
}

TEST_F(KsnProxyPlugin, goes_by_another_number_on_a_copied_image) {
  const auto machine = picket::machine_mark();
  if (machine.empty()) GTEST_SKIP() << "this computer has no machine id";
  const std::string number(16, 'a');
  const auto goes_on_with = [&](const std::string& kept) {
    host_.put_stored("installation", kept);
    EXPECT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
    EXPECT_EQ(host_.stop(5000), PICKET_OK);
    return host_.stored().at("installation");
  };
  EXPECT_EQ(goes_on_with(number + machine), number + machine);
  EXPECT_EQ(goes_on_with(number), number + machine) << "of a version that did not say whose it is";
  for (const auto& bad : {number + "0123456789abcdef", std::string("short")}) {
    const auto drawn = goes_on_with(bad);
    EXPECT_EQ(drawn.size(), 32u);
    EXPECT_NE(drawn.substr(0, 16), number);
    EXPECT_EQ(drawn.substr(16), machine);
  }
}

TEST_F(KsnProxyPlugin, serves_nobody_before_there_is_a_provider_whose_word_it_can_check) {
  ASSERT_TRUE(picket::remove_file(folder_ / "keys" / "a.pub.json"));
  ASSERT_EQ(host_.start(settings()), PICKET_OK) << host_.error();
  const auto fails_for = [&](const std::string& why) {
    EXPECT_EQ(host_.shown().health, PICKET_HEALTH_FAILED);
    EXPECT_NE(host_.shown().text.find(why), std::string::npos) << host_.shown().text;
    EXPECT_EQ(status().addresses_size(), 0);
    EXPECT_NE(status().state().find("serves nobody, and tries again: "), std::string::npos) << status().state();
  };
  fails_for("setting provider_keys");
  const auto trust = [&](const char* name, const picket::trust::PrivateKey& key) {
    ASSERT_TRUE(picket::write_file_atomic(folder_ / "keys" / name, json::serialize(key.public_key().to_json())));
    host_.advance(5'000);
  };
  trust("b.pub.json", *picket::trust::PrivateKey::generate("ed25519"));
  fails_for("provider.json");
  trust("a.pub.json", key_);
  EXPECT_EQ(host_.shown().health, PICKET_HEALTH_HEALTHY) << host_.shown().text;
  const auto answer = post(road(), "/ksn/v1/ask", ask_of({digest_of(1)}));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 200);
}

}  // namespace
