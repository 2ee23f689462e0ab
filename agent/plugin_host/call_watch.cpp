#include "plugin_host/call_watch.hpp"

#include <time.h>

namespace picket::plugin_host {

namespace {

// A few nanoseconds, against some twenty of the precise clock: this runs twice for every message.
std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

CallWatch::CallWatch(runtime::Timers& timers, std::chrono::milliseconds budget, OnOverrun on_overrun)
    : timers_(timers), budget_(budget), on_overrun_(std::move(on_overrun)) {}

CallWatch::~CallWatch() {
  runtime::Timers::Id timer = 0;
  {
    const std::lock_guard lock(mutex_);
    is_ended_ = true;
    timer = timer_;
  }
  if (timer != 0) timers_.cancel(timer);  // waits for a check that runs; that one arms nothing any more
}

void CallWatch::begin(const char* what) {
  since_ms_.store(now_ms(), std::memory_order_relaxed);
  calls_.store(calls_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);  // one writer
  what_.store(what, std::memory_order_seq_cst);
  if (!is_armed_.load(std::memory_order_seq_cst) && !is_armed_.exchange(true)) arm(budget_);
}

void CallWatch::end() { what_.store(nullptr, std::memory_order_release); }

void CallWatch::arm(std::chrono::milliseconds delay) {
  const std::lock_guard lock(mutex_);
  if (is_ended_) return;
  timer_ = timers_.start(delay + std::chrono::milliseconds(1), std::chrono::milliseconds(0), [this] { check(); });
}

void CallWatch::check() {
  const auto calls = calls_.load();
  const char* what = what_.load();
  if (what == nullptr) {
    if (calls != seen_) {  // busy lately: look again
      seen_ = calls;
      return arm(budget_);
    }
    is_armed_.store(false);
    // A call that began just now may have seen the old value.
    if (what_.load() != nullptr && !is_armed_.exchange(true)) arm(budget_);
    return;
  }
  seen_ = calls;
  const std::chrono::milliseconds so_far(now_ms() - since_ms_.load());
  if (calls_.load() == calls && what_.load() == what && so_far >= budget_ && reported_ != calls) {
    reported_ = calls;
    on_overrun_(what, so_far);
  }
  arm(reported_ == calls || so_far >= budget_ ? budget_ : budget_ - so_far);
}

}  // namespace picket::plugin_host
