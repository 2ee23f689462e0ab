// Licences and greetings: whom the broker answers, and for whom it vouches.
#include "broker_rig.hpp"

namespace picket::ksn_proxy_tests {
namespace {

using BrokerLicences = BrokerTest;

TEST_F(BrokerLicences, tells_each_licence_what_the_ksn_says_of_it) {
  open();
  ASSERT_EQ(ask({digest_of(1)}).wait(), 200);
  // What is known is not told to a licence that the KSN does not know; and it is asked once for all of them.
  for (int i = 0; i < 5; ++i) {
    auto refused = ask({digest_of(1)}, "unknown");
    EXPECT_EQ(refused.wait(), 403);
    EXPECT_EQ(refused.as<v1::Refusal>().why(), v1::Refusal::LICENCE_UNKNOWN);
    EXPECT_EQ(refused.as<v1::Refusal>().text(), "nobody knows this licence");
  }
  EXPECT_EQ(ksn_.posts, 2u);
  int status = 0;
  EXPECT_FALSE(broker_->why_not_kept("unknown", status).empty());
  EXPECT_EQ(status, 403);
  EXPECT_TRUE(broker_->why_not_kept("good", status).empty());
  EXPECT_EQ(broker_->counters().refused, 5u);
}

TEST_F(BrokerLicences, asks_again_for_a_licence_when_what_it_knows_is_old) {
  BrokerSettings settings;
  settings.licence_lasts = 0s;
  open(settings);
  ASSERT_EQ(ask({digest_of(1)}).wait(), 200);
  ASSERT_EQ(ask({digest_of(1)}).wait(), 200);
  EXPECT_EQ(ksn_.posts, 2u);
  ksn_.mode = FakeKsn::Mode::refuses_blocked;
  auto refused = ask({digest_of(1)});
  EXPECT_EQ(refused.wait(), 403);
  EXPECT_EQ(refused.as<v1::Refusal>().why(), v1::Refusal::LICENCE_BLOCKED);
}

TEST_F(BrokerLicences, asks_nothing_more_for_a_licence_that_was_refused) {
  BrokerSettings settings;
  settings.most_batches = 1;
  open(settings);
  ksn_.holds = true;
  std::vector<Answered> all;
  for (std::uint64_t i = 0; i < 5; ++i) {
    std::vector<std::string> digests;
    for (std::uint64_t n = 0; n < ksn::kMostQuestions; ++n) digests.push_back(digest_of(i * ksn::kMostQuestions + n));
    all.push_back(ask(digests, "unknown"));
  }
  ASSERT_TRUE(ksn_.wait_for_posts(1));
  ksn_.let_go();
  for (auto& one : all) EXPECT_EQ(one.wait(), 403);
  EXPECT_EQ(ask({digest_of(1)}).wait(), 200) << "the place on the line is free";
  EXPECT_EQ(ksn_.posts, 2u) << "the refused one, and the good one";
  EXPECT_EQ(broker_->counters().pending, 0u);
}

TEST_F(BrokerLicences, a_refused_licence_may_try_again_later) {
  BrokerSettings settings;
  settings.refusal_lasts = 0s;
  open(settings);
  ASSERT_EQ(ask({digest_of(1)}, "unknown").wait(), 403);
  ksn_.bad_licences.clear();
  EXPECT_EQ(ask({digest_of(1)}, "unknown").wait(), 200);
}

TEST_F(BrokerLicences, greets_only_a_licence_that_the_ksn_would_answer) {
  open();
  auto good = greet();
  ASSERT_EQ(good.wait(), 200);
  EXPECT_TRUE(good.as<v1::HelloReply>().proxy()) << "in its own name";
  EXPECT_EQ(ksn_.posts, 1u);
  EXPECT_EQ(greet().wait(), 200);
  EXPECT_EQ(ksn_.posts, 1u) << "what is known is not asked again";
  auto refused = greet("unknown");
  EXPECT_EQ(refused.wait(), 403);
  EXPECT_EQ(refused.as<v1::Refusal>().why(), v1::Refusal::LICENCE_UNKNOWN);
  EXPECT_EQ(greet("unknown").wait(), 403);
  EXPECT_EQ(ksn_.posts, 2u);
  EXPECT_EQ(ask({digest_of(1)}, "unknown").wait(), 403);
  EXPECT_EQ(ask({digest_of(1)}).wait(), 200);
}

TEST_F(BrokerLicences, asks_the_ksn_again_when_what_it_heard_is_old) {
  BrokerSettings settings;
  settings.line_lasts = 0s;
  open(settings);
  EXPECT_EQ(greet().wait(), 200);
  ksn_.mode = FakeKsn::Mode::refuses_blocked;
  auto refused = greet();
  EXPECT_EQ(refused.wait(), 403);
  EXPECT_EQ(refused.as<v1::Refusal>().why(), v1::Refusal::LICENCE_BLOCKED);
  EXPECT_EQ(ksn_.posts, 2u);
}

TEST_F(BrokerLicences, greets_nobody_while_no_server_works_and_says_how_long_it_rests) {
  open();
  ASSERT_EQ(ask({digest_of(1)}).wait(), 200);
  ASSERT_EQ(greet().wait(), 200);
  ksn_.mode = FakeKsn::Mode::away;
  ksn_.rest = 7;
  const auto before = ksn_.posts.load();
  auto refused = greet();
  EXPECT_EQ(refused.wait(), 503);
  EXPECT_EQ(refused.as<v1::Refusal>().why(), v1::Refusal::UNAVAILABLE);
  EXPECT_EQ(refused.as<v1::Refusal>().retry_after_seconds(), 7u);
  EXPECT_EQ(ksn_.posts, before);
  // Its rest is over, and nobody has tried it yet: the greeting does.
  ksn_.rest = 0;
  ksn_.mode = FakeKsn::Mode::answers;
  ksn_.works_again = false;
  EXPECT_EQ(greet().wait(), 200);
  EXPECT_EQ(ksn_.posts, before + 1);
  for (const auto mode : {FakeKsn::Mode::broken, FakeKsn::Mode::other_name}) {
    ksn_.mode = mode;
    auto bad = greet();
    EXPECT_EQ(bad.wait(), 503);
    EXPECT_EQ(bad.as<v1::Refusal>().why(), v1::Refusal::UNAVAILABLE);
  }
  EXPECT_EQ(ksn_.blamed, 1u);
}

TEST_F(BrokerLicences, greets_nobody_after_a_lie_before_an_answer_is_the_providers_again) {
  open();
  auto before = greet();
  EXPECT_EQ(before.wait(), 200);
  ksn_.mode = FakeKsn::Mode::lies;  // and says hello as ever
  auto lied_to = ask({digest_of(1)});
  EXPECT_EQ(lied_to.wait(), 503);
  auto still = greet();
  EXPECT_EQ(still.wait(), 503);
  EXPECT_EQ(still.as<v1::Refusal>().why(), v1::Refusal::UNAVAILABLE);
  ksn_.mode = FakeKsn::Mode::answers;
  auto again = greet();
  EXPECT_EQ(again.wait(), 200);
  v1::AskRequest asked;
  ASSERT_TRUE(asked.ParseFromString(ksn_.bodies().back()));
  ASSERT_EQ(asked.questions_size(), 1);
  EXPECT_EQ(asked.questions(0).digests(), std::string(32, '\0'));  // nobody's file
  const auto posts = ksn_.posts.load();
  auto known = greet();
  EXPECT_EQ(known.wait(), 200);
  EXPECT_EQ(ksn_.posts, posts);
}

TEST_F(BrokerLicences, greets_nobody_for_a_hello_that_was_said_before_the_lie) {
  open();
  ksn_.holds = true;
  auto greeted = greet();
  ASSERT_TRUE(ksn_.wait_for_posts(1));
  ksn_.holds = false;
  ksn_.mode = FakeKsn::Mode::lies;
  auto lied_to = ask({digest_of(1)});
  EXPECT_EQ(lied_to.wait(), 503);
  ksn_.let_go();
  EXPECT_EQ(greeted.wait(), 503);
  EXPECT_EQ(ksn_.posts, 3u) << "the hello is believed no more: it is asked";
  ksn_.mode = FakeKsn::Mode::answers;
  EXPECT_EQ(greet().wait(), 200);
}

TEST_F(BrokerLicences, greets_nobody_while_answers_come_that_cannot_be_handed_on) {
  open();
  ksn_.mode = FakeKsn::Mode::seals_only_all;
  auto asked = ask({digest_of(1)});
  EXPECT_EQ(asked.wait(), 503);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(greet().wait(), 503);
  ksn_.mode = FakeKsn::Mode::answers;
  EXPECT_EQ(greet().wait(), 200);
}

TEST_F(BrokerLicences, greets_the_ksn_once_for_all_who_greet) {
  open();
  ksn_.holds = true;
  std::vector<Answered> all;
  for (int i = 0; i < 5; ++i) all.push_back(greet());
  ASSERT_TRUE(ksn_.wait_for_posts(1));
  ksn_.let_go();
  for (auto& one : all) EXPECT_EQ(one.wait(), 200);
  EXPECT_EQ(ksn_.posts, 1u);
}

TEST_F(BrokerLicences, many_licences_cannot_push_the_good_ones_out) {
  BrokerSettings settings;
  settings.most_licences = 10;
  open(settings);
  ASSERT_EQ(ask({digest_of(1)}).wait(), 200);
  for (int i = 0; i < 100; ++i) {
    ksn_.bad_licences.insert("guess" + std::to_string(i));
    EXPECT_EQ(ask({digest_of(1)}, "guess" + std::to_string(i)).wait(), 403);
  }
  const auto posts = ksn_.posts.load();
  EXPECT_EQ(ask({digest_of(1)}).wait(), 200);
  EXPECT_EQ(ksn_.posts, posts);
  EXPECT_LE(broker_->counters().licences, 10u);
}

TEST_F(BrokerLicences, vouches_only_for_licences_that_the_ksn_accepted_lately) {
  BrokerSettings settings;
  settings.most_licences = 10;
  settings.licence_lasts = 0s;
  settings.keeps_for = 2h;
  open(settings);
  const auto why_not = [&](std::string_view licence) {
    int status = 0;
    const auto body = broker_->why_not_kept(licence, status);
    v1::Refusal refusal;
    EXPECT_TRUE(refusal.ParseFromString(body));
    EXPECT_TRUE(body.empty() || (status == 503 && refusal.why() == v1::Refusal::UNAVAILABLE && refusal.retry_after_seconds() > 0));
    return refusal.text();
  };
  const std::string says = "nothing is kept here for a licence that the KSN did not accept in the last 2 hours, or since the proxy started";
  EXPECT_EQ(why_not("good"), says) << "never heard of";
  ksn_.mode = FakeKsn::Mode::away;
  ASSERT_EQ(ask({digest_of(1)}).wait(), 503);
  EXPECT_EQ(why_not("good"), says) << "asked, and nobody has answered";
  ksn_.mode = FakeKsn::Mode::answers;
  ASSERT_EQ(ask({digest_of(1)}).wait(), 200);
  EXPECT_EQ(why_not("good"), "");
  // While the KSN is away guesses do not make it forget whom it has seen.
  ksn_.mode = FakeKsn::Mode::away;
  for (int i = 0; i < 100; ++i) (void)ask({digest_of(1)}, "guess" + std::to_string(i)).wait();
  EXPECT_EQ(why_not("good"), "");
  EXPECT_EQ(why_not("guess99"), says);
}

TEST_F(BrokerLicences, vouches_no_more_for_a_licence_that_was_accepted_too_long_ago) {
  BrokerSettings settings;
  settings.keeps_for = 0s;
  open(settings);
  ASSERT_EQ(ask({digest_of(1)}).wait(), 200);
  int status = 0;
  EXPECT_FALSE(broker_->why_not_kept("good", status).empty());
}

TEST_F(BrokerLicences, what_the_ksn_said_of_a_licence_is_known_to_the_next_broker) {
  open();
  ASSERT_EQ(ask({digest_of(1)}).wait(), 200);
  ASSERT_EQ(ask({digest_of(1)}, "other").wait(), 200);
  ASSERT_EQ(ask({digest_of(1)}, "unknown").wait(), 403);
  auto standings = broker_->standings();
  EXPECT_EQ(standings.size(), 2u) << "of one that was never accepted nothing is kept";
  BrokerSettings settings;
  settings.licence_lasts = 0s;
  open(settings, std::move(standings));
  ksn_.bad_licences.insert("other");
  ASSERT_EQ(ask({digest_of(2)}, "other").wait(), 403);
  open({}, broker_->standings());
  const auto posts = ksn_.posts.load();
  ksn_.mode = FakeKsn::Mode::away;
  int status = 0;
  EXPECT_TRUE(broker_->why_not_kept("good", status).empty());
  EXPECT_FALSE(broker_->why_not_kept("other", status).empty());
  EXPECT_EQ(status, 403) << "refused since";
  EXPECT_EQ(ask({digest_of(2)}, "other").wait(), 403);
  EXPECT_EQ(ksn_.posts, posts);
}

TEST_F(BrokerLicences, guessing_licences_is_slowed_down_and_costs_the_known_ones_nothing) {
  BrokerSettings settings;
  settings.new_licences_at_once = 5;
  settings.new_licences_per_second = 0;
  open(settings);
  ASSERT_EQ(ask({digest_of(1)}).wait(), 200);
  int refused = 0, slowed = 0;
  for (int i = 0; i < 20; ++i) {
    ksn_.bad_licences.insert("guess" + std::to_string(i));
    const int status = ask({digest_of(1)}, "guess" + std::to_string(i)).wait();
    refused += status == 403 ? 1 : 0;
    slowed += status == 429 ? 1 : 0;
  }
  EXPECT_EQ(refused, 4);
  EXPECT_EQ(slowed, 16);
  EXPECT_EQ(ask({digest_of(2)}).wait(), 200);
}

TEST_F(BrokerLicences, who_guesses_licences_keeps_the_new_ones_of_others_not_out) {
  BrokerSettings settings;
  settings.new_licences_at_once = 20;
  settings.new_licences_per_second = 0;
  settings.new_licences_per_address = 5;
  open(settings);
  peer_ = "192.0.2.1";
  int slowed = 0;
  for (int i = 0; i < 30; ++i) {
    ksn_.bad_licences.insert("guess" + std::to_string(i));
    slowed += (i % 2 == 0 ? ask({digest_of(1)}, "guess" + std::to_string(i)) : greet("guess" + std::to_string(i))).wait() == 429 ? 1 : 0;
  }
  EXPECT_EQ(slowed, 25);
  peer_ = "192.0.2.2";
  EXPECT_EQ(ask({digest_of(1)}).wait(), 200);
  peer_ = "192.0.2.1";
  EXPECT_EQ(ask({digest_of(2)}).wait(), 200) << "a known one is nobody's guess";
}

}  // namespace
}  // namespace picket::ksn_proxy_tests
