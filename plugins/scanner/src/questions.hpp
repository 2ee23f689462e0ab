// Files that wait to be asked of KSN together. Bounded: who adds the last one takes the batch away and asks.
#pragma once

#include <chrono>
#include <mutex>
#include <vector>

#include "look.hpp"

namespace scanner {

class Questions {
 public:
  using Clock = std::chrono::steady_clock;

  // Any thread. A batch when it is large or old enough, else nothing.
  [[nodiscard]] std::vector<Look> add(Look look) {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) since_ = Clock::now();
    bytes_ += look.bytes();
    waiting_.push_back(std::move(look));
    return waiting_.size() >= kMostFiles || bytes_ >= kMostBytes ? take() : std::vector<Look>();
  }
  [[nodiscard]] std::vector<Look> take_old() {
    const std::lock_guard lock(mutex_);
    return !waiting_.empty() && Clock::now() - since_ >= kMostAge ? take() : std::vector<Look>();
  }
  [[nodiscard]] std::vector<Look> take_all() {
    const std::lock_guard lock(mutex_);
    return take();
  }

 private:
  // So that a batch of the longest paths fits into one request of the bus.
  static constexpr std::size_t kMostFiles = 100, kMostBytes = 96u << 10;
  static constexpr std::chrono::milliseconds kMostAge{50};  // a user waits for what is told of them

  std::vector<Look> take() {
    bytes_ = 0;
    return std::exchange(waiting_, {});
  }
  std::mutex mutex_;
  std::vector<Look> waiting_;
  std::size_t bytes_ = 0;
  Clock::time_point since_{};
};

}  // namespace scanner
