// Whether a server is worth asking: after a failure it rests, each time twice as long; then one question tries. Under its owner's lock.
#pragma once

#include <algorithm>
#include <chrono>

namespace ksn_proxy {

class Breaker {
 public:
  using Clock = std::chrono::steady_clock;
  Breaker(std::chrono::milliseconds first, std::chrono::milliseconds longest) : first_(first), longest_(longest), rest_(first) {}

  // True: ask it now, and say how it went.
  [[nodiscard]] bool may_ask(Clock::time_point now) {
    if (!resting_) return true;
    if (now < until_) return false;
    trying_ = true;
    until_ = now + longest_;  // nobody else, unless the one who tries never comes back
    return true;
  }
  void succeeded() {
    before_ = resting_ ? rest_ : std::chrono::milliseconds(0);
    resting_ = trying_ = false;
    rest_ = first_;
  }
  // What it said was worth nothing: the success just before was none.
  void blamed(Clock::time_point now) {
    if (!resting_ && before_.count() > 0) rest_ = std::min(before_ * 2, longest_);
    failed(now);
  }
  void failed(Clock::time_point now) {
    // Questions that were on their way together fail together: that is one failure.
    if (resting_ && now < began_ + rest_) return;
    if (resting_) rest_ = std::min(rest_ * 2, longest_);
    resting_ = true;
    trying_ = false;
    began_ = now;
    until_ = now + rest_;
  }
  [[nodiscard]] bool is_resting() const { return resting_; }
  // One question tries it now.
  [[nodiscard]] bool is_trying(Clock::time_point now) const { return trying_ && now < until_; }
  // While one tries, it will be known soon.
  [[nodiscard]] std::chrono::milliseconds left(Clock::time_point now) const {
    if (!resting_ || until_ <= now) return std::chrono::milliseconds(0);
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(until_ - now);
    return trying_ ? std::min(rest, first_) : rest;
  }

 private:
  const std::chrono::milliseconds first_, longest_;
  std::chrono::milliseconds rest_, before_{0};  // before: how long it rested until its last success; 0: it did not
  bool resting_ = false, trying_ = false;
  Clock::time_point began_{}, until_{};
};

}  // namespace ksn_proxy
