#include "bus/deadlines.hpp"

#include <vector>

#include "runtime/timers.hpp"

namespace picket::bus {

using std::chrono::steady_clock;

bool Deadlines::add(const std::shared_ptr<OpenRequest>& open) {
  const std::scoped_lock lock(mutex_);
  if (stopped_) return false;
  open->deadline_at = open_.emplace(open->deadline, open);
  open->has_deadline = true;
  if (open->deadline < armed_for_) arm(open->deadline);
  return true;
}

void Deadlines::remove(OpenRequest& open) {
  std::shared_ptr<OpenRequest> last;  // not destroyed under the lock
  const std::scoped_lock lock(mutex_);
  if (!std::exchange(open.has_deadline, false)) return;
  last = std::move(open.deadline_at->second);
  open_.erase(open.deadline_at);
}

void Deadlines::stop() {
  DeadlineMap dropped;
  const std::scoped_lock lock(mutex_);
  stopped_ = true;
  for (auto& [when, open] : open_) open->has_deadline = false;
  dropped.swap(open_);
}

void Deadlines::arm(steady_clock::time_point at) {
  armed_for_ = at;
  const auto delay = std::chrono::ceil<std::chrono::milliseconds>(at - steady_clock::now());
  timers_.start(delay, std::chrono::milliseconds(0), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->fire();
  });
}

void Deadlines::fire() {
  std::vector<std::shared_ptr<OpenRequest>> due;
  {
    const std::scoped_lock lock(mutex_);
    const auto now = steady_clock::now();
    while (!open_.empty() && open_.begin()->first <= now) {
      auto first = open_.extract(open_.begin());
      first.mapped()->has_deadline = false;
      due.push_back(std::move(first.mapped()));
    }
    if (now >= armed_for_ && !stopped_) {
      armed_for_ = steady_clock::time_point::max();
      if (!open_.empty()) arm(open_.begin()->first);
    }
  }
  for (const auto& open : due) expire_(open);
}

}  // namespace picket::bus
