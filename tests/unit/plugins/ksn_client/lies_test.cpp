// Answers that are malformed, huge, truncated or lies: one clear line, no wrong verdict, nothing kept.
#include "rig.hpp"

namespace ksn_client_test {
namespace {

struct Lie {
  Mood mood;
  const char* says;
};

struct KsnLies : KsnClientPlugin, testing::WithParamInterface<Lie> {};

TEST_P(KsnLies, is_refused_and_nothing_of_it_is_kept) {
  ksn.knows(digest_number(1), v1::VERDICT_TRUSTED);
  start();
  accept_and_be_greeted();
  ASSERT_EQ(check_one(digest_number(50)).from(), v1::Checked::SERVER);
  ksn.mood(GetParam().mood);
  const auto checked = check_one(digest_number(1));
  EXPECT_EQ(checked.from(), v1::Checked::NOBODY);
  EXPECT_EQ(checked.facts().verdict(), v1::VERDICT_UNKNOWN);
  EXPECT_THAT(checked.why(), HasSubstr(GetParam().says));
  EXPECT_EQ(checked.why().find('\n'), std::string::npos);
  ksn.mood(Mood::honest);
  ASSERT_TRUE(wait([&] { return check_one(digest_number(1)).from() == v1::Checked::SERVER; }));
  EXPECT_EQ(check_one(digest_number(1)).facts().verdict(), v1::VERDICT_TRUSTED);
}

INSTANTIATE_TEST_SUITE_P(All, KsnLies,
                         testing::Values(Lie{Mood::malformed, "malformed"}, Lie{Mood::truncated, "malformed"}, Lie{Mood::huge, "longer than"}, Lie{Mood::too_few, "0 answers to 1 questions"},
                                         Lie{Mood::other_question, "wrong signature"}, Lie{Mood::forged, "signature"}, Lie{Mood::stale, "out of date"}, Lie{Mood::future, "future"},
                                         Lie{Mood::other_ksn, "Somebody else"}, Lie{Mood::unavailable, "not available: the store is away"}, Lie{Mood::licence_unknown, "not known to the provider"},
                                         Lie{Mood::licence_expired, "expired"}));

TEST_F(KsnClientPlugin, a_greeting_does_not_make_up_for_answers_that_are_not_the_providers) {
  settings["heartbeat_seconds"] = 1;
  start();
  accept();
  ASSERT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  ASSERT_TRUE(wait([&] { return ksn.seen().hellos > 0; }));
  ksn.mood(Mood::forged);  // and greets as ever
  ASSERT_EQ(check_one(digest_number(2)).from(), v1::Checked::NOBODY);
  const auto failures = status().counters().at("failures");
  ASSERT_TRUE(wait([&] { return status().counters().at("failures") > failures + 1; })) << "it is asked again, though nobody asks";
  const auto last = status().last_exchange();
  EXPECT_THAT(status().cause(), AllOf(HasSubstr("the last attempt failed"), HasSubstr("signature")));
  EXPECT_EQ(ksn.seen().requests.back().questions(0).digests(), std::string(32, '\0')) << "about no file";
  ASSERT_TRUE(wait([&] { return status().counters().at("failures") > failures + 2; }));
  EXPECT_EQ(status().last_exchange(), last);
  ksn.mood(Mood::honest);
  ASSERT_TRUE(wait([&] { return status().cause().empty(); })) << status().line();
  EXPECT_EQ(ksn.seen().times[digest_number(2)], 1U);
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::SERVER);
}

TEST_F(KsnClientPlugin, a_digest_under_a_wrong_prefix_is_a_lie) {
  settings["file_prefix_bytes"] = 4;
  start();
  accept();
  ksn.mood(Mood::wrong_prefix);
  const auto checked = check_one(digest_number(1));
  EXPECT_EQ(checked.from(), v1::Checked::NOBODY);
  EXPECT_FALSE(checked.why().empty());
}

TEST_F(KsnClientPlugin, a_little_clock_skew_is_no_lie_and_ttl_is_kept) {
  ksn.knows(digest_number(1), v1::VERDICT_TRUSTED, "", 60);
  ksn.issue_ago(200);  // expired by 140 s, within the skew that is allowed
  start();
  accept();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER) << "what is over is not repeated";
}

TEST_F(KsnClientPlugin, an_answer_for_one_question_is_not_repeated_by_a_clock_that_is_behind_that_of_ksn) {
  ksn.knows(digest_number(1), v1::VERDICT_TRUSTED, "", 0);
  ksn.issue_ago(-30);
  start();
  accept();
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
}

TEST_F(KsnClientPlugin, a_server_that_dies_in_the_middle_is_said_and_forgotten) {
  settings["request_timeout_ms"] = 60'000;
  start();
  accept_and_be_greeted();
  ksn.mood(Mood::silent);
  const auto before = ksn.messages();
  const auto id = host.request({.topic = "picket.ksn.check", .payload = files({digest_number(1)}).SerializeAsString(), .timeout_ms = 60'000});
  ASSERT_TRUE(wait([&] { return ksn.messages() > before; }));
  ksn.die();
  ASSERT_TRUE(wait([&] { return host.answer(id).done; }));
  v1::CheckReply reply;
  ASSERT_TRUE(reply.ParseFromString(host.answer(id).payload));
  EXPECT_EQ(reply.checked(0).from(), v1::Checked::NOBODY);
  ksn.mood(Mood::honest);
  ksn.come_back();
  ASSERT_TRUE(wait([&] { return check_one(digest_number(1)).from() == v1::Checked::SERVER; }));
}

// The same of a proxy, with a question on its way to it.
struct KsnDyingProxy : KsnClientPlugin {
  void SetUp() override {
    KsnClientPlugin::SetUp();
    settings["use_proxy"] = true;
    settings["request_timeout_ms"] = 60'000;
    ksn.knows(digest_number(1), v1::VERDICT_TRUSTED);
  }
  v1::Checked check_while_it_dies(KsnServiceFake& proxy) {
    start();
    accept();
    EXPECT_TRUE(wait([&] { return proxy.seen().hellos > 0; }));
    proxy.mood(Mood::silent);
    const auto before = proxy.messages();
    const auto id = host.request({.topic = "picket.ksn.check", .payload = files({digest_number(1)}).SerializeAsString(), .timeout_ms = 60'000});
    EXPECT_TRUE(wait([&] { return proxy.messages() > before; }));
    EXPECT_FALSE(host.answer(id).done);
    proxy.die();
    EXPECT_TRUE(wait([&] { return host.answer(id).done; }));
    v1::CheckReply reply;
    EXPECT_TRUE(reply.ParseFromString(host.answer(id).payload));
    return reply.checked_size() == 1 ? reply.checked(0) : v1::Checked();
  }
};

TEST_F(KsnDyingProxy, is_said_where_servers_may_not_be_asked_and_forgotten_when_it_is_back) {
  settings["proxy"] = ksn.address();
  const auto checked = check_while_it_dies(ksn);
  EXPECT_EQ(checked.from(), v1::Checked::NOBODY);
  EXPECT_THAT(checked.why(), HasSubstr("proxy " + ksn.address() + ": "));
  EXPECT_THAT(status().cause(), HasSubstr("proxy " + ksn.address() + ": "));
  EXPECT_THAT(status().line(), HasSubstr("; next attempt 20"));
  ksn.mood(Mood::honest);
  ksn.come_back();
  ASSERT_TRUE(wait([&] { return check_one(digest_number(1)).from() == v1::Checked::PROXY; }));
  EXPECT_EQ(status().cause(), "");
}

TEST_F(KsnDyingProxy, hands_its_question_to_the_servers_where_policy_allows_it) {
  KsnServiceFake proxy(folder.path() / "proxy");
  settings["proxy"] = proxy.address();
  settings["proxy_certificate"] = proxy.certificate().native();
  settings["servers_when_proxy_is_away"] = true;
  const auto checked = check_while_it_dies(proxy);
  EXPECT_EQ(checked.from(), v1::Checked::SERVER) << checked.why();
  EXPECT_EQ(checked.facts().verdict(), v1::VERDICT_TRUSTED);
  EXPECT_EQ(check_one(digest_number(2)).from(), v1::Checked::SERVER);
  EXPECT_EQ(status().status(), "Enabled");
}

TEST_F(KsnDyingProxy, hands_no_question_to_servers_that_policy_forbade_meanwhile) {
  KsnServiceFake proxy(folder.path() / "proxy");
  settings["proxy"] = proxy.address();
  settings["proxy_certificate"] = proxy.certificate().native();
  settings["servers_when_proxy_is_away"] = true;
  start();
  accept();
  ASSERT_TRUE(wait([&] { return proxy.seen().hellos > 0; }));
  proxy.mood(Mood::silent);
  const auto met = proxy.messages();
  const auto asked = host.request({.topic = "picket.ksn.check", .payload = files({digest_number(7)}).SerializeAsString(), .timeout_ms = 60'000});
  ASSERT_TRUE(wait([&] { return proxy.messages() > met; }));
  const auto before = ksn.seen().asks;
  settings["servers_when_proxy_is_away"] = false;
  ASSERT_EQ(apply(), PICKET_OK);
  proxy.die();
  ASSERT_TRUE(wait([&] { return host.answer(asked).done; }));
  v1::CheckReply reply;
  ASSERT_TRUE(reply.ParseFromString(host.answer(asked).payload));
  EXPECT_EQ(reply.checked(0).from(), v1::Checked::NOBODY);
  EXPECT_EQ(ksn.seen().asks, before);
}

TEST_F(KsnClientPlugin, a_damaged_cache_is_discarded_with_one_line_and_asked_again) {
  ksn.knows(digest_number(1), v1::VERDICT_TRUSTED);
  start();
  accept();
  ASSERT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  host.stop();
  host.destroy();
  auto bytes = picket::read_file(folder.path() / "state" / "cache", 4 << 20);
  ASSERT_TRUE(bytes);
  (*bytes)[20] = static_cast<char>((*bytes)[20] ^ 1);
  ASSERT_TRUE(picket::write_file_atomic(folder.path() / "state" / "cache", *bytes));
  const auto lines = host.logs().size();
  start();
  std::size_t told = 0;
  for (std::size_t i = lines; i < host.logs().size(); ++i) told += host.logs()[i].text.find("discarded") != std::string::npos;
  EXPECT_EQ(told, 1U);
  EXPECT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
}

TEST_F(KsnClientPlugin, answers_of_another_provider_are_not_used) {
  ksn.knows(digest_number(1), v1::VERDICT_TRUSTED);
  start();
  accept();
  ASSERT_EQ(check_one(digest_number(1)).from(), v1::Checked::SERVER);
  KsnServiceFake other(folder.path() / "other", "Other KSN", false);
  settings["provider_file"] = other.provider_file().native();
  settings["provider_keys"] = other.provider_keys().native();
  ASSERT_EQ(apply(), PICKET_OK);
  const auto checked = check_one(digest_number(1));
  EXPECT_EQ(checked.from(), v1::Checked::SERVER);
  EXPECT_EQ(checked.ksn(), "Other KSN");
  EXPECT_FALSE(checked.private_ksn());
  EXPECT_EQ(checked.facts().verdict(), v1::VERDICT_UNKNOWN);
  EXPECT_EQ(status().kind(), "Global");
}

}  // namespace
}  // namespace ksn_client_test
