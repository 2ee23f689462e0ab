// Work on threads that exist only while there is some: at most so many at a time, a bounded queue behind them.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace scanner {

class Threads {
 public:
  Threads(std::size_t most, std::size_t queue) : most_(most), queue_limit_(queue) {}
  ~Threads() { stop(); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  // False: the queue is full, or stopped. The work must not throw.
  [[nodiscard]] bool submit(std::function<void()> work);
  // Drops what waits, joins what runs: whoever gave the work ends it first.
  void stop();

 private:
  struct One {
    std::thread thread;
    bool ended = false;
  };
  void run(One& self, std::function<void()> work);
  void join_ended();

  const std::size_t most_, queue_limit_;
  std::mutex mutex_;
  std::deque<std::function<void()>> queue_;
  std::list<One> threads_;
  bool stopped_ = false;
};

}  // namespace scanner
