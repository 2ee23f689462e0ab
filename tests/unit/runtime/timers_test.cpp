#include "runtime/timers.hpp"

#include <atomic>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace picket::runtime {
namespace {

using namespace std::chrono_literals;

bool is_ready(std::future<void> future) { return future.wait_for(30s) == std::future_status::ready; }

TEST(Timers, fire_in_the_order_of_their_times_and_not_early) {
  const auto timers = Timers::make();
  // On a slow computer they may be started too far apart for this to be their order: then once more.
  for (int tries = 0; tries < 100; ++tries) {
    const auto began = std::chrono::steady_clock::now();
    std::mutex mutex;
    std::vector<int> order;
    std::promise<void> done;
    const auto comes = [&](int number) {
      const std::scoped_lock lock(mutex);
      order.push_back(number);
      if (order.size() == 3) done.set_value();
    };
    timers->start(60ms, 0ms, [&] {
      EXPECT_GE(std::chrono::steady_clock::now() - began, 60ms);
      comes(3);
    });
    for (const auto& [delay, number] : {std::pair{30ms, 2}, std::pair{0ms, 1}}) timers->start(delay, 0ms, [&, n = number] { comes(n); });
    const bool together = std::chrono::steady_clock::now() - began < 30ms;
    ASSERT_TRUE(is_ready(done.get_future()));
    const std::scoped_lock lock(mutex);
    if (!together) continue;
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
    return;
  }
  FAIL() << "three timers were never started within 30 ms";
}

TEST(Timers, repeat_until_cancelled_also_from_their_own_callback) {
  const auto timers = Timers::make();
  std::atomic<int> count = 0;
  std::atomic<Timers::Id> id = 0;
  std::promise<void> done;
  std::promise<void> started;
  auto may_go = started.get_future().share();
  id = timers->start(1ms, 1ms, [&, may_go] {
    may_go.wait();
    if (++count == 5) {
      timers->cancel(id);
      done.set_value();
    }
  });
  started.set_value();
  ASSERT_TRUE(is_ready(done.get_future()));
  std::promise<void> later;
  timers->start(20ms, 0ms, [&] { later.set_value(); });
  ASSERT_TRUE(is_ready(later.get_future()));
  EXPECT_EQ(count, 5);
}

// Who counts on it, as the host that asks a child for a sign of life, gives a whole period each time, also after the machine stood still.
TEST(Timers, repeat_a_whole_period_after_a_stop) {
  const auto timers = Timers::make();
  for (const auto stop : {500ms, 150ms}) {  // longer than a period, and shorter
    std::chrono::steady_clock::time_point went_on, next;
    std::promise<void> done;
    int count = 0;
    const auto id = timers->start(0ms, 200ms, [&] {
      if (++count == 1) {
        std::this_thread::sleep_for(stop);
        went_on = std::chrono::steady_clock::now();
      } else if (count == 2) {
        next = std::chrono::steady_clock::now();
        done.set_value();
      }
    });
    ASSERT_TRUE(is_ready(done.get_future()));
    timers->cancel(id);
    EXPECT_GE(next - went_on, 200ms) << stop.count();
  }
}

TEST(Timers, cancelled_ones_do_not_run_and_let_go_of_what_they_hold) {
  const auto timers = Timers::make();
  const auto witness = std::make_shared<int>(0);
  const auto id = timers->start(1h, 0ms, [witness] { FAIL(); });
  EXPECT_EQ(witness.use_count(), 2);
  timers->cancel(id);
  EXPECT_EQ(witness.use_count(), 1);
  timers->cancel(id);
  timers->cancel(12345);
}

TEST(Timers, cancel_waits_for_a_callback_that_is_running) {
  const auto timers = Timers::make();
  std::promise<void> entered;
  std::promise<void> leave;
  std::atomic<bool> left = false;
  const auto id = timers->start(0ms, 0ms, [&] {
    entered.set_value();
    leave.get_future().wait();
    left = true;
  });
  ASSERT_TRUE(is_ready(entered.get_future()));
  auto cancelled = std::async(std::launch::async, [&] {
    timers->cancel(id);
    return left.load();
  });
  leave.set_value();
  EXPECT_TRUE(cancelled.get());
}

TEST(Timers, take_absurd_delays) {
  const auto timers = Timers::make();
  timers->start(std::chrono::milliseconds::max(), std::chrono::milliseconds::max(), [] { FAIL(); });
  std::promise<void> done;
  timers->start(std::chrono::milliseconds(-5), 0ms, [&] { done.set_value(); });
  EXPECT_TRUE(is_ready(done.get_future()));
}

}  // namespace
}  // namespace picket::runtime
