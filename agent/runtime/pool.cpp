#include "runtime/pool.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "runtime/thread.hpp"

namespace picket::runtime {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{10};
constexpr int kIdleTicks = 3;

const Pool*& current_pool() {
  static thread_local const Pool* current = nullptr;
  return current;
}

}  // namespace

Pool::Pool(unsigned threads, milliseconds stuck_after)
    : wanted_(std::max(1U, threads)), stuck_after_(stuck_after) {}

void Pool::start() {
  const std::scoped_lock lock(mutex_);
  for (unsigned i = 0; i < wanted_; ++i) add_worker();
  watchdog_ = start_thread("picket-watch", [self = shared_from_this()] { self->watch(); });
}

void Pool::add_worker() {
  auto& worker = workers_.emplace_back();
  ++alive_;
  worker.thread = start_thread("picket-work" + std::to_string(++named_), [self = shared_from_this(), &worker] { self->work(worker); });
}

bool Pool::schedule(std::shared_ptr<StrandQueue> strand) {
  bool wake = false;
  {
    const std::scoped_lock lock(mutex_);
    if (stopped_) return false;
    ready_.push_back(std::move(strand));
    has_ready_.store(true, std::memory_order_relaxed);
    // A pool thread that makes one strand ready will soon run it itself, which is much faster than waking another
    // thread for it. If it does not return soon, the watchdog's next tick wakes one. (Threads that spin before they sleep
    // were tried: on two cores they take the time from the very thread that they wait for.)
    const bool soon_run_here = current_pool() == this && ready_.size() == 1;
    wake = sleeping_ > 0 && !soon_run_here;
  }
  if (wake) work_.notify_one();
  return true;
}

bool Pool::wait_for_work(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    if (stopped_ || alive_ - stuck_ > wanted_) return false;
    if (!ready_.empty()) return true;
    ++sleeping_;
    work_.wait(lock);
    --sleeping_;
  }
}

void Pool::work(Worker& self) {
  current_pool() = this;
  std::unique_lock lock(mutex_);
  while (wait_for_work(lock)) {
    auto strand = std::move(ready_.front());
    ready_.pop_front();
    has_ready_.store(!ready_.empty(), std::memory_order_relaxed);
    self.running = strand;
    ++turns_;
    // More than this thread can begin now, and nobody looks for it.
    const bool wake_another = !ready_.empty() && sleeping_ > 0;
    const bool wake_watchdog = std::exchange(watchdog_sleeps_, false);
    lock.unlock();
    if (wake_another) work_.notify_one();
    if (wake_watchdog) watch_.notify_one();
    const bool more = strand->run();
    lock.lock();
    self.running.reset();
    if (std::exchange(self.stuck, false)) --stuck_;
    if (more && !stopped_) {
      ready_.push_back(std::move(strand));
      has_ready_.store(true, std::memory_order_relaxed);
    } else if (more) {
      lock.unlock();  // what tasks captured may call anything when it ends
      strand->drop_tasks();
      lock.lock();
    }
    // Otherwise the strand has no task left, so that its end here, under the lock, runs nobody's code.
  }
  --alive_;
  self.ended = true;
  ended_.notify_all();
  watch_.notify_one();
}

void Pool::watch() {
  std::unique_lock lock(mutex_);
  const auto tick = std::clamp(stuck_after_ / 4, milliseconds(1), kTick);
  int idle_ticks = 0;
  std::uint64_t last_turns = 0;
  while (!stopped_) {
    if (idle_ticks >= kIdleTicks) {
      watchdog_sleeps_ = true;
      watch_.wait(lock, [&] { return stopped_ || !watchdog_sleeps_; });
      idle_ticks = 0;
    } else {
      watch_.wait_for(lock, tick);
    }
    if (stopped_) break;
    look_for_stuck();
    if (!ready_.empty() && sleeping_ > 0) work_.notify_one();
    const bool quiet = turns_ == last_turns && ready_.empty() &&
                       std::all_of(workers_.begin(), workers_.end(), [](const Worker& w) { return !w.running || w.stuck; });
    idle_ticks = quiet ? idle_ticks + 1 : 0;
    last_turns = turns_;
  }
}

void Pool::look_for_stuck() {
  for (auto& worker : workers_)
    if (worker.running && !worker.stuck && worker.running->busy_for() > stuck_after_) {
      worker.stuck = true;
      ++stuck_;
    }
  while (alive_ - stuck_ < wanted_) add_worker();
  // Those that were too many have ended: their thread is done but for its return.
  for (auto worker = workers_.begin(); worker != workers_.end();) {
    if (worker->ended) {
      worker->thread.join();
      worker = workers_.erase(worker);
    } else {
      ++worker;
    }
  }
}

bool Pool::stop(milliseconds limit) {
  std::deque<std::shared_ptr<StrandQueue>> dropped;
  std::unique_lock lock(mutex_);
  const bool first = !std::exchange(stopped_, true);
  dropped.swap(ready_);
  has_ready_.store(false, std::memory_order_relaxed);
  lock.unlock();
  work_.notify_all();
  watch_.notify_all();
  for (const auto& strand : dropped) strand->drop_tasks();
  if (first && watchdog_.joinable()) watchdog_.join();
  lock.lock();
  const bool all = ended_.wait_for(lock, limit, [&] { return alive_ == 0; });
  std::list<Worker> ended;
  for (auto worker = workers_.begin(); worker != workers_.end();) {
    const auto next = std::next(worker);
    if (worker->ended) ended.splice(ended.end(), workers_, worker);
    else if (worker->thread.joinable()) worker->thread.detach();  // left behind; it holds this pool
    worker = next;
  }
  lock.unlock();
  for (auto& worker : ended)
    if (worker.thread.joinable()) worker.thread.join();
  return all;
}

}  // namespace picket::runtime
