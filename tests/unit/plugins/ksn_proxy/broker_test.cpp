#include "broker.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "ask.hpp"
#include "fake_ksn.hpp"
#include "ksn/limits.hpp"

using namespace ksn_proxy;
using namespace picket::ksn_proxy_tests;
using namespace std::chrono_literals;
namespace ksn = picket::ksn;

namespace {

class BrokerTest : public ::testing::Test {
 protected:
  void open(BrokerSettings settings = {}) {
    broker_ = std::make_unique<Broker>(settings, Broker::Parts{ksn_, ksn_.verifier(), std::string(16, 'p'), "1.2.3", [this] { return ksn_.now.load(); },
                                                               [this](std::string_view text) {
                                                                 const std::lock_guard lock(mutex_);
                                                                 warnings_.emplace_back(text);
                                                               }});
  }
  void TearDown() override {
    ksn_.let_go();
    broker_.reset();
  }
  Answered ask(const std::vector<std::string>& digests, std::string_view licence = "good", v1::ObjectKind kind = v1::OBJECT_FILE) {
    Answered out;
    broker_->ask(ask_of(digests, licence, kind), out.reply());
    return out;
  }
  Answered greet(std::string_view licence = "good") {
    v1::HelloReply ours;
    ours.set_ksn("test");
    ours.set_proxy(true);
    Answered out;
    broker_->greet(licence, ours, out.reply());
    return out;
  }
  // The answers, checked as a client checks them; empty: they are not the provider's.
  std::vector<v1::Record> records(Answered& answered) {
    std::vector<v1::Record> out;
    if (answered.wait() != 200) return out;
    auto verified = ksn_.verifier().verify(answered.as<v1::AskReply>(), ksn_.now);
    EXPECT_TRUE(verified) << (verified ? "" : verified.error().message);
    if (!verified) return out;
    for (const auto& proven : *verified) EXPECT_TRUE(out.emplace_back().ParseFromString(proven.record));
    return out;
  }
  FakeKsn ksn_;
  std::mutex mutex_;
  std::vector<std::string> warnings_;
  std::unique_ptr<Broker> broker_;
};

TEST_F(BrokerTest, answers_from_the_ksn_once_and_then_from_the_cache) {
  open();
  for (int round = 0; round < 3; ++round) {
    auto answered = ask({digest_of(1), digest_of(2), digest_of(3)});
    const auto got = records(answered);
    ASSERT_EQ(got.size(), 3u);
    for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(got[i].asked(), digest_of(i + 1));
  }
  EXPECT_EQ(ksn_.questions, 3u);
  EXPECT_EQ(broker_->counters().from_cache, 6u);
}

TEST_F(BrokerTest, asks_upstream_in_its_own_name_with_the_askers_licence) {
  open();
  auto answered = ask({digest_of(1)}, "licence-9");
  ASSERT_EQ(answered.wait(), 200);
  v1::AskRequest request;
  ASSERT_TRUE(request.ParseFromString(ksn_.bodies().at(0)));
  EXPECT_EQ(request.asker().licence(), "licence-9");
  EXPECT_EQ(request.asker().installation(), std::string(16, 'p'));
  EXPECT_EQ(request.asker().version(), "1.2.3");
  EXPECT_FALSE(request.asker().extended());
}

TEST_F(BrokerTest, hands_wishes_on_to_devices_in_extended_mode_that_ask_about_the_file) {
  open();
  ksn_.wished = digest_of(2);
  const auto ask_extended = [&](const std::vector<std::string>& digests) {
    v1::AskRequest request;
    EXPECT_TRUE(request.ParseFromString(ask_of(digests)));
    request.mutable_asker()->set_extended(true);
    Answered out;
    broker_->ask(request.SerializeAsString(), out.reply());
    EXPECT_EQ(out.wait(), 200);
    return out.as<v1::AskReply>();
  };
  auto basic = ask({digest_of(1)});
  ASSERT_EQ(basic.wait(), 200);
  EXPECT_EQ(basic.as<v1::AskReply>().wishes_size(), 0);
  for (const bool cached : {false, true}) {
    const auto reply = ask_extended({digest_of(2), digest_of(3)});
    ASSERT_EQ(reply.wishes_size(), 1) << cached;
    EXPECT_EQ(reply.wishes(0).digest(), digest_of(2));
    EXPECT_EQ(reply.wishes(0).first(), 10u);
    EXPECT_EQ(reply.wishes(0).bytes(), 20u);
    EXPECT_TRUE(ksn_.verifier().verify(reply, ksn_.now));
  }
  v1::AskRequest upstream;
  ASSERT_TRUE(upstream.ParseFromString(ksn_.bodies().at(0)));
  EXPECT_FALSE(upstream.asker().extended());
  ASSERT_TRUE(upstream.ParseFromString(ksn_.bodies().at(1)));
  EXPECT_TRUE(upstream.asker().extended());
  EXPECT_EQ(ask_extended({digest_of(3)}).wishes_size(), 0);  // not asked about
  auto other = ask({digest_of(2)});
  ASSERT_EQ(other.wait(), 200);
  EXPECT_EQ(other.as<v1::AskReply>().wishes_size(), 0);      // not extended
}

TEST_F(BrokerTest, mixes_answers_of_many_heads_in_one_reply_and_clients_can_check_them) {
  open();
  for (std::uint64_t i = 0; i < 20; i += 4) (void)ask({digest_of(i), digest_of(i + 1), digest_of(i + 2)}).wait();  // heads of three leaves
  (void)ask({digest_of(3)}).wait();                                                                                // a head of one
  auto answered = ask({digest_of(9), digest_of(0), digest_of(3), digest_of(100), digest_of(16), digest_of(1), digest_of(3), digest_of(3)});
  const auto got = records(answered);
  ASSERT_EQ(got.size(), 8u);
  EXPECT_EQ(got[0].asked(), digest_of(9));
  EXPECT_EQ(got[3].asked(), digest_of(100));
  EXPECT_EQ(got[7].asked(), digest_of(3));
  EXPECT_EQ(ksn_.questions, 17u);
}

TEST_F(BrokerTest, a_thousand_equal_questions_are_one_upstream) {
  open();
  (void)ask({digest_of(0)}).wait();
  ksn_.holds = true;
  std::vector<Answered> all;
  std::vector<std::thread> threads;
  all.resize(1000);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = static_cast<std::size_t>(t); i < all.size(); i += 4) broker_->ask(ask_of({digest_of(7)}), all[i].reply());
    });
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(ksn_.wait_for_posts(2));
  ksn_.let_go();
  for (auto& one : all) ASSERT_EQ(one.wait(), 200);
  EXPECT_EQ(ksn_.questions, 2u);
  EXPECT_EQ(broker_->counters().merged, 999u);
  EXPECT_EQ(broker_->counters().waiting, 0u);
}

TEST_F(BrokerTest, gathers_questions_of_many_requests_into_few) {
  BrokerSettings settings;
  settings.gather = 60s;  // only the thousandth question makes them go
  open(settings);
  std::vector<Answered> all;
  for (std::uint64_t i = 0; i < 500; ++i) all.push_back(ask({digest_of(i), digest_of(i + 10'000)}));
  for (auto& one : all) EXPECT_EQ(one.wait(), 200);
  EXPECT_EQ(ksn_.questions, 1000u);
  EXPECT_EQ(ksn_.posts, 1u);
}

TEST_F(BrokerTest, keeps_no_more_than_a_thousand_questions_in_a_request) {
  BrokerSettings settings;
  settings.gather = 500ms;
  open(settings);
  std::vector<Answered> all;
  for (std::uint64_t i = 0; i < 5; ++i) {
    std::vector<std::string> many;
    for (std::uint64_t n = 0; n < 700; ++n) many.push_back(digest_of(i * 700 + n));
    all.push_back(ask(many));
  }
  for (auto& one : all) EXPECT_EQ(one.wait(), 200);
  for (const auto& body : ksn_.bodies()) {
    Ask ask;
    EXPECT_TRUE(parse_ask(body, ask));
    EXPECT_LE(ask.keys.size(), ksn::kMostQuestions);
    EXPECT_LE(body.size(), ksn::kMostRequestBytes);
  }
  EXPECT_EQ(ksn_.questions, 3500u);
}

TEST_F(BrokerTest, remembers_what_nobody_knows_for_its_time) {
  open();
  std::string unknown;
  for (std::uint64_t i = 0; unknown.empty(); ++i)
    if ((digest_of(i)[0] & 1) == 0) unknown = digest_of(i);
  ksn_.ttl = 60;
  for (int i = 0; i < 3; ++i) {
    auto answered = ask({unknown});
    const auto got = records(answered);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].facts().verdict(), v1::VERDICT_UNKNOWN);
  }
  EXPECT_EQ(ksn_.questions, 1u);
  ksn_.now += 60;
  auto again = ask({unknown});
  EXPECT_EQ(again.wait(), 200);
  EXPECT_EQ(ksn_.questions, 2u);
}

TEST_F(BrokerTest, repeats_an_answer_without_a_time_to_live_to_those_who_wait_and_to_nobody_else) {
  open();
  ksn_.ttl = 0;
  for (std::uint64_t i = 1; i <= 2; ++i) {
    auto answered = ask({digest_of(1)});
    EXPECT_EQ(answered.wait(), 200);
    EXPECT_EQ(ksn_.questions, i);
  }
}

TEST_F(BrokerTest, answers_prefixes_from_the_cache_too) {
  open();
  const auto prefix = digest_of(5).substr(0, 6);
  for (int i = 0; i < 2; ++i) {
    auto answered = ask({prefix, digest_of(1)}, "good", v1::OBJECT_ADDRESS);
    const auto got = records(answered);
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0].asked(), prefix);
    EXPECT_EQ(got[0].found_size(), 1);
  }
  EXPECT_EQ(ksn_.questions, 2u);
}

TEST_F(BrokerTest, asks_for_few_prefixes_at_a_time_because_their_answers_are_long) {
  BrokerSettings settings;
  settings.gather = 100ms;
  open(settings);
  std::vector<std::string> prefixes;
  for (std::uint64_t i = 0; i < 200; ++i) prefixes.push_back(digest_of(i).substr(0, 8));
  auto answered = ask(prefixes);
  EXPECT_EQ(records(answered).size(), 200u);
  EXPECT_EQ(ksn_.posts, 5u);
}

TEST_F(BrokerTest, tells_each_licence_what_the_ksn_says_of_it) {
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

TEST_F(BrokerTest, asks_again_for_a_licence_when_what_it_knows_is_old) {
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

TEST_F(BrokerTest, a_refused_licence_may_try_again_later) {
  BrokerSettings settings;
  settings.refusal_lasts = 0s;
  open(settings);
  ASSERT_EQ(ask({digest_of(1)}, "unknown").wait(), 403);
  ksn_.bad_licences.clear();
  EXPECT_EQ(ask({digest_of(1)}, "unknown").wait(), 200);
}

TEST_F(BrokerTest, greets_only_a_licence_that_the_ksn_would_answer) {
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

TEST_F(BrokerTest, asks_the_ksn_again_when_what_it_heard_is_old) {
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

TEST_F(BrokerTest, greets_nobody_while_no_server_works_and_says_how_long_it_rests) {
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

TEST_F(BrokerTest, greets_the_ksn_once_for_all_who_greet) {
  open();
  ksn_.holds = true;
  std::vector<Answered> all;
  for (int i = 0; i < 5; ++i) all.push_back(greet());
  ASSERT_TRUE(ksn_.wait_for_posts(1));
  ksn_.let_go();
  for (auto& one : all) EXPECT_EQ(one.wait(), 200);
  EXPECT_EQ(ksn_.posts, 1u);
}

TEST_F(BrokerTest, many_licences_cannot_push_the_good_ones_out) {
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

TEST_F(BrokerTest, vouches_only_for_licences_that_the_ksn_accepted_lately) {
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

TEST_F(BrokerTest, vouches_no_more_for_a_licence_that_was_accepted_too_long_ago) {
  BrokerSettings settings;
  settings.keeps_for = 0s;
  open(settings);
  ASSERT_EQ(ask({digest_of(1)}).wait(), 200);
  int status = 0;
  EXPECT_FALSE(broker_->why_not_kept("good", status).empty());
}

TEST_F(BrokerTest, guessing_licences_is_slowed_down_and_costs_the_known_ones_nothing) {
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

TEST_F(BrokerTest, never_repeats_what_is_not_the_providers) {
  open();
  for (const auto mode : {FakeKsn::Mode::lies, FakeKsn::Mode::other_question, FakeKsn::Mode::other_name, FakeKsn::Mode::too_few}) {
    ksn_.mode = mode;
    auto answered = ask({digest_of(1), digest_of(2)});
    EXPECT_EQ(answered.wait(), 503);
    EXPECT_EQ(answered.as<v1::Refusal>().why(), v1::Refusal::UNAVAILABLE);
  }
  EXPECT_EQ(ksn_.blamed, 4u);
  EXPECT_EQ(broker_->counters().untrusted, 4u);
  EXPECT_EQ(warnings_.size(), 4u);
  EXPECT_EQ(broker_->counters().cache.entries, 0u);
  ksn_.mode = FakeKsn::Mode::answers;
  auto good = ask({digest_of(1), digest_of(2)});
  EXPECT_EQ(records(good).size(), 2u);
}

TEST_F(BrokerTest, says_that_the_line_is_down_and_goes_on_when_it_is_back) {
  open();
  ASSERT_EQ(ask({digest_of(1)}).wait(), 200);
  ksn_.mode = FakeKsn::Mode::away;
  ksn_.rest = 7;
  auto refused = ask({digest_of(2)});
  EXPECT_EQ(refused.wait(), 503);
  EXPECT_EQ(refused.as<v1::Refusal>().retry_after_seconds(), 7u);
  EXPECT_NE(refused.as<v1::Refusal>().text().find("no route to host"), std::string::npos);
  EXPECT_EQ(ask({digest_of(1)}).wait(), 200);  // what is known is told all the same
  ksn_.mode = FakeKsn::Mode::broken;
  EXPECT_EQ(ask({digest_of(2)}).wait(), 503);
  ksn_.mode = FakeKsn::Mode::answers;
  EXPECT_EQ(ask({digest_of(2)}).wait(), 200);
}

TEST_F(BrokerTest, gives_up_when_the_ksn_hangs_and_still_keeps_what_comes_late) {
  BrokerSettings settings;
  settings.deadline = 100ms;
  open(settings);
  ksn_.holds = true;
  auto late = ask({digest_of(1)});
  EXPECT_EQ(late.wait(), 503);
  EXPECT_EQ(broker_->counters().overdue, 1u);
  ksn_.let_go();
  EXPECT_EQ(ask({digest_of(1)}).wait(), 200);
  EXPECT_EQ(ksn_.questions, 1u);
}

TEST_F(BrokerTest, holds_no_more_requests_than_it_may) {
  BrokerSettings settings;
  settings.most_waiting = 10;
  settings.most_pending = 15;
  open(settings);
  ksn_.holds = true;
  std::vector<Answered> all;
  for (std::uint64_t i = 0; i < 20; ++i) all.push_back(ask({digest_of(i), digest_of(i + 100)}));
  EXPECT_EQ(all.back().wait(), 429);
  EXPECT_EQ(all.back().as<v1::Refusal>().why(), v1::Refusal::TOO_MANY);
  EXPECT_LE(broker_->counters().waiting, 10u);
  EXPECT_LE(broker_->counters().pending, 15u);
  ksn_.let_go();
  EXPECT_EQ(all.front().wait(), 200);
}

TEST_F(BrokerTest, refuses_what_is_no_question_without_asking_anybody) {
  open();
  for (const std::string_view body : {std::string_view("\xff\xff\xff", 3), std::string_view("\x12\x02\x08\x09", 4)}) {
    Answered answered;
    broker_->ask(body, answered.reply());
    EXPECT_EQ(answered.wait(), 400);
  }
  Answered answered;
  broker_->ask(ask_of(std::vector<std::string>(1001, digest_of(1))), answered.reply());
  EXPECT_EQ(answered.wait(), 413);
  EXPECT_EQ(ask({}).wait(), 200);  // nothing asked, nothing answered
  EXPECT_EQ(ksn_.posts, 0u);
}

TEST_F(BrokerTest, ends_with_an_answer_to_all_who_wait) {
  open();
  ksn_.holds = true;
  auto waits = ask({digest_of(1)});
  ASSERT_TRUE(ksn_.wait_for_posts(1));
  broker_->stop();
  ksn_.mode = FakeKsn::Mode::away;
  ksn_.let_go();
  broker_.reset();
  EXPECT_EQ(waits.wait(), 503);
}

TEST_F(BrokerTest, survives_many_threads_at_once) {
  BrokerSettings settings;
  settings.cache_bytes = 300'000;  // much is pushed out while others read it
  open(settings);
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (std::uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 200; ++i) {
        std::vector<std::string> many;
        for (std::uint64_t n = 0; n < 20; ++n) many.push_back(digest_of((t * 37 + i * 13 + n * n) % 3000));
        auto answered = ask(many);
        if (answered.wait() == 200 && answered.as<v1::AskReply>().answers_size() == 20) ++good;
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, 800);
  EXPECT_LE(broker_->counters().cache.bytes, 300'000u);
}

}  // namespace
