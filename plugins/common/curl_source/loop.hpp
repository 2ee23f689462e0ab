// The one thread that runs all transfers through a curl multi handle, whose connections it keeps between fetches. It begins with the
// first transfer and ends some time after the last: an idle source has no thread, no connection and no memory of libcurl's.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "curl_source/resolver.hpp"
#include "curl_source/transfer.hpp"

namespace curl_source {

struct LoopOptions {
  std::size_t parallel = 4;
  // Long enough for the files of one update, and for a check that follows soon; then the source is idle.
  std::chrono::milliseconds linger = std::chrono::seconds(30);
  std::vector<std::string> fallback_resolvers{};  // asked when the system's DNS does not know a name; none: that is the end
  bool operator==(const LoopOptions&) const = default;
};

class Loop {
 public:
  explicit Loop(LoopOptions options);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Any thread. false: too much waits already, or stopped.
  [[nodiscard]] bool submit(std::unique_ptr<Transfer> transfer);
  void wake();  // credit or a cancellation came
  void stop();  // ends all transfers and joins the thread; their answers are the caller's to finish before

 private:
  class Multi;
  void run();
  [[nodiscard]] bool take_new(std::vector<std::unique_ptr<Transfer>>& running);  // false: the end of the thread

  const LoopOptions options_;
  std::mutex mutex_;
  std::condition_variable work_came_;
  std::deque<std::unique_ptr<Transfer>> waiting_;
  CURLM* multi_ = nullptr;  // while the thread runs; for wake
  bool running_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace curl_source
