#include "file_source/workers.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace file_source {

struct Workers::Shared {
  Shared(std::size_t most_threads, std::size_t most_queued) : threads_limit(most_threads), queue_limit(most_queued) {}

  struct Worker {
    std::thread thread;
    bool ended = false;
  };

  const std::size_t threads_limit, queue_limit;
  std::mutex mutex;
  std::condition_variable one_ended;
  std::deque<std::function<void()>> queue;
  std::vector<std::shared_ptr<Worker>> workers;
  bool stopped = false;
};

Workers::Workers(std::size_t threads, std::size_t queue) : shared_(std::make_shared<Shared>(threads, queue)) {}

Workers::~Workers() { (void)stop(std::chrono::milliseconds(0)); }

bool Workers::submit(std::function<void()> work) {
  const std::lock_guard lock(shared_->mutex);
  auto& workers = shared_->workers;
  std::erase_if(workers, [](const auto& worker) {
    if (worker->ended) worker->thread.join();  // at its last instruction: no wait
    return worker->ended;
  });
  if (shared_->stopped) return false;
  if (workers.size() >= shared_->threads_limit) {
    if (shared_->queue.size() >= shared_->queue_limit) return false;
    shared_->queue.push_back(std::move(work));
    return true;
  }
  auto worker = std::make_shared<Shared::Worker>();
  workers.push_back(worker);
  try {
    worker->thread = std::thread([shared = shared_, worker, work = std::move(work)]() mutable {
      while (work) {
        work();
        work = nullptr;
        const std::lock_guard guard(shared->mutex);
        if (shared->queue.empty()) {
          worker->ended = true;
          shared->one_ended.notify_all();
        } else {
          work = std::move(shared->queue.front());
          shared->queue.pop_front();
        }
      }
    });
  } catch (...) {
    workers.pop_back();
    throw;
  }
  return true;
}

bool Workers::is_idle() const {
  const std::lock_guard lock(shared_->mutex);
  return std::ranges::all_of(shared_->workers, [](const auto& worker) { return worker->ended; });
}

bool Workers::stop(std::chrono::milliseconds patience) {
  std::vector<std::shared_ptr<Shared::Worker>> workers;
  bool all_ended = false;
  {
    std::unique_lock lock(shared_->mutex);
    shared_->stopped = true;
    shared_->queue.clear();
    all_ended = shared_->one_ended.wait_for(lock, patience, [&] {
      return std::all_of(shared_->workers.begin(), shared_->workers.end(), [](const auto& worker) { return worker->ended; });
    });
    workers.swap(shared_->workers);
    // Decided under the lock, so that nobody ends between the decision and the act.
    for (auto& worker : workers)
      if (!worker->ended) worker->thread.detach();
  }
  for (auto& worker : workers)
    if (worker->thread.joinable()) worker->thread.join();
  return all_ended;
}

}  // namespace file_source
