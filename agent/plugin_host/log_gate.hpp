// So many lines a second of one plugin, then silence and a count.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace picket::plugin_host {

class LogGate {
 public:
  using Clock = std::chrono::steady_clock;

  // nullopt: not this one. Else it may be written, after saying that so many were not. Any thread.
  [[nodiscard]] std::optional<std::uint64_t> pass(Clock::time_point now = Clock::now()) {
    const std::lock_guard lock(mutex_);
    if (now - window_ >= std::chrono::seconds(1)) {
      window_ = now;
      lines_ = 0;
    }
    if (lines_ == max_lines) {
      ++suppressed_;
      return std::nullopt;
    }
    ++lines_;
    return std::exchange(suppressed_, 0);
  }

 private:
  static constexpr unsigned max_lines = 100;
  std::mutex mutex_;
  Clock::time_point window_{};
  unsigned lines_ = 0;
  std::uint64_t suppressed_ = 0;
};

}  // namespace picket::plugin_host
