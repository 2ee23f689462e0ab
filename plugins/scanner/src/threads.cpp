#include "threads.hpp"

namespace scanner {

void Threads::join_ended() {
  for (auto it = threads_.begin(); it != threads_.end();) {
    if (!it->ended) {
      ++it;
      continue;
    }
    it->thread.join();  // past its last use of the mutex
    it = threads_.erase(it);
  }
}

bool Threads::submit(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return false;
  join_ended();
  if (threads_.size() >= most_) {
    if (queue_.size() >= queue_limit_) return false;
    queue_.push_back(std::move(work));
    return true;
  }
  auto& one = threads_.emplace_back();
  try {
    one.thread = std::thread([this, &one, work = std::move(work)]() mutable { run(one, std::move(work)); });
  } catch (...) {
    threads_.pop_back();
    throw;
  }
  return true;
}

void Threads::run(One& self, std::function<void()> work) {
  while (work) {
    work();
    work = nullptr;
    const std::lock_guard lock(mutex_);
    if (queue_.empty()) {
      self.ended = true;
    } else {
      work = std::move(queue_.front());
      queue_.pop_front();
    }
  }
}

void Threads::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    queue_.clear();
  }
  // Nobody adds any more, so the list stands still.
  for (auto& one : threads_) one.thread.join();
  threads_.clear();
}

}  // namespace scanner
