// Sees when a call into a plugin takes longer than its budget, also when it never returns. Costs nothing while nothing is called.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>

#include "runtime/timers.hpp"

namespace picket::plugin_host {

class CallWatch {
 public:
  // on_overrun: once per call that overruns, on the timers' thread; must be short.
  using OnOverrun = std::function<void(const char* what, std::chrono::milliseconds so_far)>;
  CallWatch(runtime::Timers& timers, std::chrono::milliseconds budget, OnOverrun on_overrun);
  ~CallWatch();
  CallWatch(const CallWatch&) = delete;
  CallWatch& operator=(const CallWatch&) = delete;

  // Calls never overlap (plugin thread).
  void begin(const char* what);
  void end();

  // What runs now, and for how long; nullptr when nothing does.
  [[nodiscard]] const char* running() const { return what_.load(std::memory_order_acquire); }

 private:
  void arm(std::chrono::milliseconds delay);
  void check();

  runtime::Timers& timers_;
  const std::chrono::milliseconds budget_;
  const OnOverrun on_overrun_;
  std::atomic<const char*> what_{nullptr};
  std::atomic<std::int64_t> since_ms_{0};
  std::atomic<std::uint64_t> calls_{0};
  std::atomic<bool> is_armed_{false};
  std::uint64_t seen_ = 0, reported_ = 0;  // timers' thread
  std::mutex mutex_;
  runtime::Timers::Id timer_ = 0;
  bool is_ended_ = false;
};

}  // namespace picket::plugin_host
