#include "broker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

namespace ksn_client {
namespace {

using namespace std::chrono_literals;

TEST(KsnBroker, sends_nothing_while_nobody_could_tell_whose_answers_count) {
  std::mutex mutex;
  std::vector<Line::Done> under_way;
  std::atomic<bool> holds{true};
  std::atomic<unsigned> posted{0};
  Broker broker({.now = [] { return std::int64_t{1'800'000'000}; },
                 .post = [&](const v1::AskRequest&, std::chrono::milliseconds, const Line::Accept&, const Line::Done& done) {
                   ++posted;
                   if (!holds) return done(fail(Code::unavailable, "asked"));
                   const std::lock_guard lock(mutex);
                   under_way.push_back(done);
                 },
                 .shut = [] { return std::string(); },
                 .answered = {}});
  const auto trust = std::make_shared<Trust>(std::vector<picket::trust::PublicKey>(), "test", true);
  const auto ask = [&](char digest, std::chrono::milliseconds deadline) {
    auto answers = std::make_shared<std::promise<std::vector<Answered>>>();
    broker.ask({key_of(v1::OBJECT_FILE, std::string(32, digest))}, deadline, [answers](std::vector<Answered> came) { answers->set_value(std::move(came)); }, broker.settled());
    return answers->get_future();
  };
  broker.use(trust, nullptr, 0ms, 60s);
  // Eight messages are under way at most: with eight that are not answered the next one waits.
  const auto held = [&] {
    const std::lock_guard lock(mutex);
    return under_way.size();
  };
  for (unsigned i = 0; i < 8; ++i) {
    (void)ask(static_cast<char>(i), 60s);
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (held() == i) {
      ASSERT_LT(std::chrono::steady_clock::now(), until);
      std::this_thread::yield();
    }
  }
  auto waits = ask('a', 500ms);
  broker.use(nullptr, nullptr, 0ms, 60s);  // the provider changes
  holds = false;
  for (const auto& done : under_way) done(fail(Code::unavailable, "asked"));
  EXPECT_EQ(ask('b', 500ms).get().at(0).why, "no provider of KSN is known");
  EXPECT_EQ(waits.get().at(0).why, "no answer before the deadline");
  EXPECT_EQ(posted, 8u);
  broker.use(trust, nullptr, 0ms, 60s);
  EXPECT_EQ(ask('c', 30s).get().at(0).why, "asked");
}

}  // namespace
}  // namespace ksn_client
