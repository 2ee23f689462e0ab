// Leaves a road alone after it failed several times, longer each time; then lets one message try it. Not locked.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>

namespace ksn_client {

class Breaker {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr unsigned kFailures = 3;

  Breaker(std::chrono::seconds first, std::chrono::seconds longest) : first_(first), longest_(std::max(first, longest)) {}

  // True: go, and say how it went. One message at a time tries a road that rested.
  [[nodiscard]] bool may(Time now) {
    if (!resting_) return true;
    if (now < until_ || trying_) return false;
    trying_ = true;
    return true;
  }
  void succeeded() {
    failures_ = 0;
    rests_ = 0;
    resting_ = trying_ = false;
  }
  // `at_least`: the other side asked to be left alone so long. `spread`: 0 to 1, so that many devices do not come back at the same instant.
  void failed(Time now, double spread, std::chrono::seconds at_least = std::chrono::seconds(0)) {
    const bool was_trial = trying_;
    trying_ = false;
    if (++failures_ < kFailures && !was_trial && at_least.count() == 0) return;
    auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(std::min<std::chrono::seconds>(longest_, first_ * (1LL << std::min(rests_, 20U))));
    rest = std::max<std::chrono::milliseconds>(rest, at_least);
    rest += std::chrono::milliseconds(static_cast<long long>(static_cast<double>(rest.count()) * 0.2 * spread));
    if (!resting_ || was_trial || now + rest > until_) until_ = now + rest;
    if (!resting_ || was_trial) ++rests_;
    resting_ = true;
  }
  // A message that was given up without an answer either way.
  void gave_up() { trying_ = false; }
  [[nodiscard]] bool is_resting(Time now) const { return resting_ && (now < until_ || trying_); }
  [[nodiscard]] Time until() const { return until_; }

 private:
  std::chrono::seconds first_, longest_;
  unsigned failures_ = 0, rests_ = 0;
  bool resting_ = false, trying_ = false;
  Time until_{};
};

}  // namespace ksn_client
