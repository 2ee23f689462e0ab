#include "core/cancel.hpp"

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace picket::core {
namespace {

using std::chrono::seconds;

TEST(CancelToken, default_made_is_never_cancelled_and_takes_registrations) {
  const CancelToken token;
  EXPECT_FALSE(token.is_cancelled());
  const auto handle = token.on_cancel([] { FAIL(); });
  EXPECT_TRUE(handle);
}

TEST(CancelToken, copies_share_the_wish_and_each_callback_runs_once) {
  CancelSource source;
  const auto token = source.token();
  const auto copy = token;
  int calls = 0;
  const auto handle = copy.on_cancel([&] { ++calls; });
  EXPECT_EQ(calls, 0);
  source.cancel();
  source.cancel();
  EXPECT_TRUE(token.is_cancelled());
  EXPECT_TRUE(copy.is_cancelled());
  EXPECT_EQ(calls, 1);
}

TEST(CancelToken, registering_after_cancellation_calls_back_at_once) {
  CancelSource source;
  source.cancel();
  int calls = 0;
  const auto handle = source.token().on_cancel([&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(CancelToken, ended_registration_is_not_called) {
  CancelSource source;
  { const auto handle = source.token().on_cancel([] { FAIL(); }); }
  source.cancel();
}

TEST(CancelToken, a_callback_may_end_its_own_registration_and_make_another) {
  CancelSource source;
  std::unique_ptr<CancelToken::Registration> handle;
  std::unique_ptr<CancelToken::Registration> second;
  int calls = 0;
  handle = source.token().on_cancel([&] {
    handle.reset();
    second = source.token().on_cancel([&] { ++calls; });
  });
  source.cancel();
  EXPECT_EQ(calls, 1);
}

TEST(CancelToken, ending_a_registration_waits_for_a_callback_that_runs_on_another_thread) {
  CancelSource source;
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> finished = false;
  auto handle = source.token().on_cancel([&] {
    entered.set_value();
    leave.get_future().wait();
    finished = true;
  });
  std::thread canceller([&] { source.cancel(); });
  ASSERT_EQ(entered.get_future().wait_for(seconds(20)), std::future_status::ready);
  auto ended = std::async(std::launch::async, [&] {
    handle.reset();
    return finished.load();
  });
  leave.set_value();
  EXPECT_TRUE(ended.get());
  canceller.join();
}

TEST(CancelToken, survives_many_threads_that_register_and_cancel) {
  for (int round = 0; round < 50; ++round) {
    CancelSource source;
    std::atomic<int> calls = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, token = source.token()] {
        std::vector<std::unique_ptr<CancelToken::Registration>> handles;
        for (int i = 0; i < 20; ++i) handles.push_back(token.on_cancel([&] { ++calls; }));
        while (!token.is_cancelled()) std::this_thread::yield();
      });
    source.cancel();
    for (auto& thread : threads) thread.join();
    EXPECT_LE(calls, 80);
  }
}

}  // namespace
}  // namespace picket::core
