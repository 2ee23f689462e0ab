// A few threads for what waits: bounded, ends what it began.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ksn_service {

class Workers {
 public:
  Workers(unsigned threads, std::size_t most_waiting);
  ~Workers();  // what waits is dropped, what runs is waited for
  // False: too much waits already; the job was not taken.
  [[nodiscard]] bool add(std::function<void()> job);

 private:
  void run();

  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable news_;
  std::deque<std::function<void()>> jobs_;
  bool ended_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace ksn_service
