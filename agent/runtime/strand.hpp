// Inside of the executor: a strand's queue, and what the pool asks of it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/executor.hpp"

namespace picket::runtime {

class Pool;

class StrandQueue final : public Strand, public std::enable_shared_from_this<StrandQueue> {
 public:
  StrandQueue(std::string name, std::shared_ptr<Pool> pool) : name_(std::move(name)), pool_(std::move(pool)) {}

  void post(std::function<void()> task) override { add({std::move(task), nullptr}); }
  void post_job(std::shared_ptr<Job> job) override { add({nullptr, std::move(job)}); }
  [[nodiscard]] bool is_current() const override;
  [[nodiscard]] std::chrono::milliseconds busy_for() const override;
  void mark() override { marks_.store(marks_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  [[nodiscard]] bool do_others_wait() const override;

  // Pool only. Runs tasks for about a millisecond; true: there is more, queue it again.
  [[nodiscard]] bool run();
  void drop_tasks();

 private:
  struct Task {
    std::function<void()> function;
    std::shared_ptr<Job> job;
  };
  void add(Task task);

  const std::string name_;
  const std::shared_ptr<Pool> pool_;

  std::mutex mutex_;
  std::vector<Task> incoming_;
  bool scheduled_ = false;  // in the pool's queue, or running
  bool dropped_ = false;

  std::vector<Task> batch_;  // of the running thread
  std::size_t next_ = 0;

  std::atomic<std::int64_t> task_began_{0};  // steady clock, ns; 0: idle
  std::atomic<std::uint64_t> marks_{0};
  // busy_for() notices a mark only when it looks: cheaper than a clock for every message.
  mutable std::mutex seen_mutex_;
  mutable std::uint64_t seen_marks_ = 0;
  mutable std::int64_t seen_at_ = 0;
};

}  // namespace picket::runtime
