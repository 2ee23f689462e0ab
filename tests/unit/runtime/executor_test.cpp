#include "runtime/executor.hpp"

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace picket::runtime {
namespace {

using namespace std::chrono_literals;

// A gate that a task waits at, so that tests decide how long it "hangs".
class Gate {
 public:
  void open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool pass() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 30s, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

bool is_ready(std::future<void> future) { return future.wait_for(30s) == std::future_status::ready; }

TEST(Executor, runs_a_strands_tasks_in_order_and_never_two_at_once) {
  const auto executor = Executor::make(4);
  const auto strand = executor->make_strand("s");
  std::atomic<int> inside = 0;
  std::vector<int> order;  // not guarded: the strand does that
  std::promise<void> done;
  for (int i = 0; i < 2000; ++i)
    strand->post([&, i] {
      EXPECT_EQ(++inside, 1);
      EXPECT_TRUE(strand->is_current());
      order.push_back(i);
      --inside;
      if (i == 1999) done.set_value();
    });
  ASSERT_TRUE(is_ready(done.get_future()));
  EXPECT_FALSE(strand->is_current());
  for (int i = 0; i < 2000; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(Executor, keeps_each_threads_order_when_many_post) {
  const auto executor = Executor::make(3);
  const auto strand = executor->make_strand("s");
  constexpr int kThreads = 4;
  constexpr int kTasks = 3000;
  std::vector<int> last(kThreads, -1);
  std::atomic<int> ran = 0;
  std::promise<void> done;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTasks; ++i)
        strand->post([&, t, i] {
          EXPECT_EQ(last[static_cast<std::size_t>(t)], i - 1);
          last[static_cast<std::size_t>(t)] = i;
          if (++ran == kThreads * kTasks) done.set_value();
        });
    });
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(is_ready(done.get_future()));
}

TEST(Executor, never_runs_a_task_within_the_call_that_posts_it) {
  const auto executor = Executor::make(2);
  const auto strand = executor->make_strand("s");
  std::promise<void> done;
  bool outer_left = false;
  strand->post([&] {
    strand->post([&] {
      EXPECT_TRUE(outer_left);
      done.set_value();
    });
    outer_left = true;
  });
  EXPECT_TRUE(is_ready(done.get_future()));
}

TEST(Executor, a_task_that_waits_for_another_strand_gets_its_answer) {
  // The thread that posts to one strand from another expects to run it itself; here it never gets to.
  const auto executor = Executor::make(2, 10s);
  const auto first = executor->make_strand("first");
  const auto second = executor->make_strand("second");
  for (int i = 0; i < 5; ++i) {
    std::promise<void> done;
    first->post([&] {
      Gate gate;
      second->post([&] { gate.open(); });
      EXPECT_TRUE(gate.pass());
      done.set_value();
    });
    ASSERT_TRUE(is_ready(done.get_future()));
  }
}

TEST(Executor, stuck_strands_do_not_stop_others) {
  const auto executor = Executor::make(2, 20ms);
  Gate gate;
  std::vector<std::shared_ptr<Strand>> hung;
  std::vector<std::promise<void>> entered(5);
  std::vector<std::promise<void>> left(5);
  for (std::size_t i = 0; i < 5; ++i) {
    hung.push_back(executor->make_strand("hung"));
    hung.back()->post([&, i] {
      entered[i].set_value();
      EXPECT_TRUE(gate.pass());
      left[i].set_value();
    });
  }
  for (auto& one : entered) ASSERT_TRUE(is_ready(one.get_future()));
  const auto good = executor->make_strand("good");
  std::promise<void> done;
  good->post([&] { done.set_value(); });
  EXPECT_TRUE(is_ready(done.get_future()));
  EXPECT_GT(hung[0]->busy_for(), 10ms);
  gate.open();
  for (auto& one : left) EXPECT_TRUE(is_ready(one.get_future()));
  EXPECT_TRUE(executor->stop(30s));
}

TEST(Executor, busy_for_is_zero_when_idle_and_counts_from_a_mark) {
  const auto executor = Executor::make(2, 5ms);
  const auto strand = executor->make_strand("s");
  EXPECT_EQ(strand->busy_for(), 0ms);
  Gate first;
  Gate second;
  std::promise<void> marked;
  std::promise<void> done;
  strand->post([&] {
    EXPECT_TRUE(first.pass());
    strand->mark();
    marked.set_value();
    EXPECT_TRUE(second.pass());
    done.set_value();
  });
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (strand->busy_for() < 100ms && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_GE(strand->busy_for(), 100ms);
  const auto opened = std::chrono::steady_clock::now();
  first.open();
  ASSERT_TRUE(is_ready(marked.get_future()));
  const auto busy = strand->busy_for();
  EXPECT_LE(busy, std::chrono::steady_clock::now() - opened) << "not from the beginning of what runs";
  second.open();
  ASSERT_TRUE(is_ready(done.get_future()));
  while (strand->busy_for() != 0ms && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(strand->busy_for(), 0ms);
}

TEST(Executor, stop_drops_what_has_not_begun_and_says_when_something_does_not_return) {
  auto executor = Executor::make(1, 10s);
  const auto strand = executor->make_strand("s");
  const auto gate = std::make_shared<Gate>();
  const auto witness = std::make_shared<int>(0);
  std::promise<void> entered;
  std::promise<void> left;
  strand->post([&, gate] {
    entered.set_value();
    EXPECT_TRUE(gate->pass());
    left.set_value();
  });
  strand->post([witness] { FAIL(); });
  ASSERT_TRUE(is_ready(entered.get_future()));
  EXPECT_FALSE(executor->stop(20ms));
  strand->post([witness] { FAIL(); });
  executor.reset();
  gate->open();
  EXPECT_TRUE(is_ready(left.get_future()));
  // What was dropped has let go of what it captured, at the latest when the left-behind thread comes back.
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (witness.use_count() > 1 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(Executor, can_be_destroyed_at_any_moment) {
  for (int round = 0; round < 100; ++round) {
    auto executor = Executor::make(2);
    std::vector<std::shared_ptr<Strand>> strands;
    for (int i = 0; i < 4; ++i) strands.push_back(executor->make_strand("s"));
    std::atomic<bool> stop = false;
    std::thread poster([&] {
      for (std::size_t i = 0; !stop; ++i) strands[i % 4]->post([] {});
    });
    executor.reset();
    stop = true;
    poster.join();
  }
}

}  // namespace
}  // namespace picket::runtime
