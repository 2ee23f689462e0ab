// Inside of the executor: threads that run ready strands, and the watchdog that replaces stuck ones.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "runtime/strand.hpp"

namespace picket::runtime {

// Shared by the executor, its strands and its threads: a thread that never returns outlives the executor.
class Pool : public std::enable_shared_from_this<Pool> {
 public:
  Pool(unsigned threads, std::chrono::milliseconds stuck_after);

  void start();
  [[nodiscard]] bool schedule(std::shared_ptr<StrandQueue> strand);  // false: stopped
  bool stop(std::chrono::milliseconds limit);
  [[nodiscard]] bool has_ready() const { return has_ready_.load(std::memory_order_relaxed); }

 private:
  struct Worker {
    std::thread thread;
    std::shared_ptr<StrandQueue> running;
    bool stuck = false;
    bool ended = false;
  };

  void add_worker();                      // under the lock
  void work(Worker& self);
  bool wait_for_work(std::unique_lock<std::mutex>& lock);  // false: this thread shall end
  void watch();
  void look_for_stuck();                  // under the lock

  const unsigned wanted_;
  const std::chrono::milliseconds stuck_after_;

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable watch_;
  std::condition_variable ended_;
  std::deque<std::shared_ptr<StrandQueue>> ready_;
  std::atomic<bool> has_ready_{false};  // the same, to be read without the lock
  std::list<Worker> workers_;
  unsigned alive_ = 0, stuck_ = 0, sleeping_ = 0, named_ = 0;
  bool stopped_ = false;

  std::thread watchdog_;
  bool watchdog_sleeps_ = true;
  std::uint64_t turns_ = 0;  // strands run so far: tells the watchdog whether anything happens
};

}  // namespace picket::runtime
