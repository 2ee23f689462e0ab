#include "runtime/strand.hpp"

#include <algorithm>
#include <utility>

#include "runtime/pool.hpp"

namespace picket::runtime {
namespace {

// A strand with much to do lets others have their turn.
constexpr std::int64_t kTurnNs = 1'000'000;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

const StrandQueue*& current_strand() {
  static thread_local const StrandQueue* current = nullptr;
  return current;
}

}  // namespace

void StrandQueue::add(Task task) {
  {
    const std::scoped_lock lock(mutex_);
    if (dropped_) return;
    incoming_.push_back(std::move(task));
    if (scheduled_) return;
    scheduled_ = true;
  }
  if (!pool_->schedule(shared_from_this())) drop_tasks();
}

bool StrandQueue::is_current() const { return current_strand() == this; }

bool StrandQueue::do_others_wait() const { return pool_->has_ready(); }

std::chrono::milliseconds StrandQueue::busy_for() const {
  const auto began = task_began_.load(std::memory_order_acquire);
  if (began == 0) return std::chrono::milliseconds(0);
  const auto now = now_ns();
  const auto marks = marks_.load(std::memory_order_relaxed);
  const std::scoped_lock lock(seen_mutex_);
  if (marks != seen_marks_) {
    seen_marks_ = marks;
    seen_at_ = now;
  }
  return std::chrono::milliseconds(std::max<std::int64_t>(0, now - std::max(began, seen_at_)) / 1'000'000);
}

bool StrandQueue::run() {
  const auto* outer = std::exchange(current_strand(), this);
  const auto turn_began = now_ns();
  auto now = turn_began;
  bool more = true;
  do {
    if (next_ == batch_.size()) {
      batch_.clear();
      next_ = 0;
      const std::scoped_lock lock(mutex_);
      if (incoming_.empty()) {
        scheduled_ = false;
        task_began_.store(0, std::memory_order_release);
        more = false;
        break;  // from here on another thread may run this strand
      }
      batch_.swap(incoming_);
    }
    task_began_.store(now, std::memory_order_release);
    {
      const auto task = std::move(batch_[next_++]);
      if (task.job) task.job->run();
      else task.function();
    }
    now = now_ns();
  } while (now - turn_began < kTurnNs);
  if (more) task_began_.store(0, std::memory_order_release);
  current_strand() = outer;
  return more;
}

void StrandQueue::drop_tasks() {
  std::vector<Task> dropped;  // both end after the lock
  std::vector<Task> rest;
  const std::scoped_lock lock(mutex_);
  dropped_ = true;
  dropped.swap(incoming_);
  rest.swap(batch_);  // it is not running, and will not again
  next_ = 0;
}

}  // namespace picket::runtime
