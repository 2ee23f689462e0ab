#include "broker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace ksn_client {
namespace {

using namespace std::chrono_literals;

TEST(KsnBroker, sends_nothing_while_nobody_could_tell_whose_answers_count) {
  std::atomic<int> posted{0};
  Broker broker({.now = [] { return std::int64_t{1'800'000'000}; },
                 .post = [&](const v1::AskRequest&, std::chrono::milliseconds, const Line::Accept&, const Line::Done& done) {
                   ++posted;
                   done(fail(Code::unavailable, "asked"));
                 },
                 .shut = [] { return std::string(); },
                 .answered = {}});
  const auto trust = std::make_shared<Trust>(std::vector<picket::trust::PublicKey>(), "test", true);
  const auto ask = [&](char digest, std::chrono::milliseconds deadline) {
    auto answers = std::make_shared<std::promise<std::vector<Answered>>>();
    broker.ask({key_of(v1::OBJECT_FILE, std::string(32, digest))}, deadline, [answers](std::vector<Answered> came) { answers->set_value(std::move(came)); }, broker.settled());
    return answers->get_future();
  };
  broker.use(trust, nullptr, 100ms, 5s);
  auto waits = ask('a', 500ms);
  broker.use(nullptr, nullptr, 100ms, 5s);  // the provider changes
  EXPECT_EQ(ask('b', 500ms).get().at(0).why, "no provider of KSN is known");
  EXPECT_EQ(waits.get().at(0).why, "no answer before the deadline");
  EXPECT_EQ(posted, 0);
  broker.use(trust, nullptr, 0ms, 5s);
  EXPECT_EQ(ask('c', 5s).get().at(0).why, "asked");
}

}  // namespace
}  // namespace ksn_client
