// Answers and merging: what goes upstream, what the cache gives, and what happens when the line does not hold.
#include "broker_rig.hpp"

#include <thread>

#include "ksn/limits.hpp"

namespace picket::ksn_proxy_tests {
namespace {

v1::Verdict verdict_of(std::uint64_t number) { return (digest_of(number)[0] & 1) != 0 ? v1::VERDICT_UNTRUSTED : v1::VERDICT_UNKNOWN; }

TEST_F(BrokerTest, answers_from_the_ksn_once_and_then_from_the_cache) {
  open();
  for (int round = 0; round < 3; ++round) {
    auto answered = ask({digest_of(1), digest_of(2), digest_of(3)});
    const auto got = answers(answered);
    ASSERT_EQ(got.size(), 3u);
    for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(got[i].facts.verdict(), verdict_of(i + 1));
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
  ksn_.beside_the_wish = "\x9a\x06\x0c" "nobody signs";  // field 99
  const auto ask_extended = [&](const std::vector<std::string>& digests) {
    v1::AskRequest request;
    EXPECT_TRUE(request.ParseFromString(ask_of(digests)));
    request.mutable_asker()->set_extended(true);
    auto out = ask_body(request.SerializeAsString());
    EXPECT_EQ(answers(out).size(), digests.size());
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
    EXPECT_EQ(reply.SerializeAsString().find("nobody signs"), std::string::npos) << "nor is it kept";
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

TEST_F(BrokerTest, mixes_answers_of_many_replies_in_one_and_clients_can_check_each) {
  open();
  for (std::uint64_t i = 0; i < 20; i += 4) (void)ask({digest_of(i), digest_of(i + 1), digest_of(i + 2)}).wait();
  const std::vector<std::uint64_t> numbers{9, 0, 3, 100, 16, 1, 3, 3};
  std::vector<std::string> digests;
  for (const auto number : numbers) digests.push_back(digest_of(number));
  ksn_.now += 10;  // what is new was issued later
  auto answered = ask(digests);
  const auto got = answers(answered);
  ASSERT_EQ(got.size(), numbers.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i].facts.verdict(), verdict_of(numbers[i])) << i;
  EXPECT_EQ(ksn_.questions, 17u);
  const auto reply = answered.as<v1::AskReply>();
  EXPECT_EQ(reply.signers_size(), 1);
  EXPECT_FALSE(reply.has_seal());
  EXPECT_EQ(reply.answers(3).seal().issued(), reply.answers(0).seal().issued() + 10);
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
    const auto got = answers(answered);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].facts.verdict(), v1::VERDICT_UNKNOWN);
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

TEST_F(BrokerTest, repeats_no_answer_without_a_time_to_live_while_its_clock_is_behind_that_of_the_ksn) {
  open();
  ksn_.ttl = 0;
  ksn_.ahead = 30;
  for (std::uint64_t i = 1; i <= 2; ++i) {
    auto answered = ask({digest_of(1)});
    EXPECT_EQ(answers(answered).size(), 1u);
    EXPECT_EQ(ksn_.questions, i);
  }
}

TEST_F(BrokerTest, answers_prefixes_from_the_cache_too) {
  open();
  const auto prefix = digest_of(5).substr(0, 6);
  for (int i = 0; i < 2; ++i) {
    auto answered = ask({prefix, digest_of(1)}, "good", v1::OBJECT_ADDRESS);
    const auto got = answers(answered);
    ASSERT_EQ(got.size(), 2u);
    EXPECT_EQ(got[0].list.found_size(), 1);
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
  EXPECT_EQ(answers(answered).size(), 200u);
  EXPECT_EQ(ksn_.posts, 5u);
}

TEST_F(BrokerTest, never_repeats_what_is_not_the_providers) {
  open();
  for (const auto mode : {FakeKsn::Mode::lies, FakeKsn::Mode::other_question, FakeKsn::Mode::other_name, FakeKsn::Mode::too_few, FakeKsn::Mode::seals_only_all,
                          FakeKsn::Mode::empty_seals}) {
    ksn_.mode = mode;
    auto answered = ask({digest_of(1), digest_of(2)});
    EXPECT_EQ(answered.wait(), 503);
    EXPECT_EQ(answered.as<v1::Refusal>().why(), v1::Refusal::UNAVAILABLE);
  }
  EXPECT_EQ(ksn_.blamed, 6u);
  EXPECT_EQ(broker_->counters().untrusted, 6u);
  ASSERT_EQ(warnings_.size(), 6u);
  for (const std::size_t i : {4, 5}) EXPECT_NE(warnings_[i].find("no seal of its own"), std::string::npos) << warnings_[i];
  EXPECT_EQ(broker_->counters().cache.entries, 0u);
  ksn_.mode = FakeKsn::Mode::answers;
  auto good = ask({digest_of(1), digest_of(2)});
  EXPECT_EQ(answers(good).size(), 2u);
}

TEST_F(BrokerTest, repeats_no_honest_answer_of_a_time_that_is_over) {
  open();
  ksn_.ahead = -3600 - ksn::kClockSkewSeconds - 1;
  auto replayed = ask({digest_of(1)});
  EXPECT_EQ(replayed.wait(), 503);
  EXPECT_NE(replayed.as<v1::Refusal>().text().find("out of date by 301 s"), std::string::npos) << replayed.as<v1::Refusal>().text();
  EXPECT_EQ(ksn_.blamed, 1u);
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
}  // namespace picket::ksn_proxy_tests
