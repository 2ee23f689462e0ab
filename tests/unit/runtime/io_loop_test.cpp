#include "runtime/io_loop.hpp"

#include <atomic>
#include <csignal>
#include <future>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/files.hpp"
#include "runtime/signals.hpp"

namespace picket::runtime {
namespace {

using namespace std::chrono_literals;

bool is_ready(std::future<void> future) { return future.wait_for(30s) == std::future_status::ready; }

bool is_other_end_closed(int pipe) {
  struct pollfd end{pipe, 0, 0};
  return ::poll(&end, 1, 0) == 1 && (end.revents & POLLERR) != 0;
}

TEST(IoLoop, runs_what_is_posted_and_waits_for_what_is_asked_to) {
  const auto loop = IoLoop::make("loop");
  std::promise<void> done;
  loop->post([&] {
    EXPECT_TRUE(loop->is_current());
    bool inner = false;
    EXPECT_TRUE(loop->run_and_wait([&] { inner = true; }));
    EXPECT_TRUE(inner);
    done.set_value();
  });
  EXPECT_TRUE(is_ready(done.get_future()));
  EXPECT_FALSE(loop->is_current());
  bool ran = false;
  EXPECT_TRUE(loop->run_and_wait([&] { ran = true; }));
  EXPECT_TRUE(ran);
}

TEST(IoLoop, says_that_it_has_stopped_instead_of_waiting_for_ever) {
  const auto loop = IoLoop::make("loop");
  loop->stop();
  EXPECT_FALSE(loop->run_and_wait([] { FAIL(); }));
  for (int round = 0; round < 50; ++round) {
    const auto other = IoLoop::make("loop");
    std::thread stopper([&] { other->stop(); });
    bool ran = false;
    EXPECT_EQ(other->run_and_wait([&] { ran = true; }), ran);
    stopper.join();
  }
}

TEST(IoLoop, tells_once_for_each_time_it_is_asked) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  const UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  const auto loop = IoLoop::make("loop");
  std::atomic<int> calls = 0;
  std::unique_ptr<IoLoop::Watch> watch;
  std::promise<void> first;
  loop->run_and_wait([&] {
    watch = loop->watch(ours.get(), [&] { if (++calls == 1) first.set_value(); }, nullptr);
    watch->ask_readable();
  });
  ASSERT_EQ(::write(theirs.get(), "x", 1), 1);
  ASSERT_TRUE(is_ready(first.get_future()));
  ASSERT_EQ(::write(theirs.get(), "x", 1), 1);
  loop->run_and_wait([] {});
  EXPECT_EQ(calls, 1);
  std::promise<void> second;
  loop->run_and_wait([&] {
    watch.reset();
    watch = loop->watch(ours.get(), nullptr, [&] { second.set_value(); });
    watch->ask_writable();
  });
  EXPECT_TRUE(is_ready(second.get_future()));
  loop->run_and_wait([&] { watch.reset(); });
}

TEST(IoLoop, does_not_call_a_watch_or_delay_that_is_gone) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  const UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  const auto loop = IoLoop::make("loop");
  loop->run_and_wait([&] {
    auto watch = loop->watch(ours.get(), [] { FAIL(); }, nullptr);
    watch->ask_readable();
    EXPECT_EQ(::write(theirs.get(), "x", 1), 1);
    watch.reset();
    auto delay = loop->after(0ms, [] { FAIL(); });
    delay.reset();
  });
  std::promise<void> later;
  std::unique_ptr<IoLoop::Delay> delay;
  loop->run_and_wait([&] { delay = loop->after(20ms, [&] { later.set_value(); }); });
  EXPECT_TRUE(is_ready(later.get_future()));
  loop->run_and_wait([&] { delay.reset(); });
  // The descriptor is still its owner's.
  char byte = 0;
  EXPECT_EQ(::read(ours.get(), &byte, 1), 1);
}

TEST(IoLoop, calls_back_once_with_a_descriptor_that_was_left_to_it_and_closes_it) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd theirs(ends[1]);
  const auto loop = IoLoop::make("loop");
  std::promise<void> called;
  const auto kept = std::make_shared<int>();
  loop->run_and_wait([&] {
    loop->when_readable(UniqueFd(ends[0]), [&called, fd = ends[0], kept](int given) {
      EXPECT_EQ(given, fd);
      called.set_value();
    });
  });
  ASSERT_EQ(::write(theirs.get(), "x", 1), 1);
  ASSERT_TRUE(is_ready(called.get_future()));
  loop->run_and_wait([] {});
  EXPECT_EQ(kept.use_count(), 1);
  EXPECT_TRUE(is_other_end_closed(theirs.get()));
}

TEST(IoLoop, closes_what_was_left_to_it_and_frees_the_callback_when_it_ends_before_anything_came) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd theirs(ends[1]);
  const auto kept = std::make_shared<int>();
  auto loop = IoLoop::make("loop");
  loop->run_and_wait([&] { loop->when_readable(UniqueFd(ends[0]), [kept](int) { FAIL(); }); });
  EXPECT_EQ(kept.use_count(), 2);
  loop.reset();
  EXPECT_EQ(kept.use_count(), 1);
  EXPECT_TRUE(is_other_end_closed(theirs.get()));
}

TEST(Signals, arrive_as_callbacks_on_the_loop) {
  block_signals({SIGUSR1});
  const auto loop = IoLoop::make("loop");
  std::promise<int> got;
  auto signals = Signals::make(*loop, {SIGUSR1}, [&](int number) {
    EXPECT_TRUE(loop->is_current());
    got.set_value(number);
  });
  ASSERT_TRUE(signals) << signals.error().message;
  ASSERT_EQ(::kill(::getpid(), SIGUSR1), 0);
  auto future = got.get_future();
  ASSERT_EQ(future.wait_for(30s), std::future_status::ready);
  EXPECT_EQ(future.get(), SIGUSR1);
}

}  // namespace
}  // namespace picket::runtime
