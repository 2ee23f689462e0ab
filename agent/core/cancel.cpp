#include "core/cancel.hpp"

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace picket::core {

struct CancelToken::State {
  std::mutex mutex;
  std::condition_variable idle;
  bool cancelled = false;
  std::uint64_t last_id = 0;
  std::map<std::uint64_t, std::function<void()>> callbacks;
  std::uint64_t running = 0;  // the callback that runs now, and where: its registration's end waits for it
  std::thread::id runner;
};

namespace {

template <class State>
class Registered final : public CancelToken::Registration {
 public:
  Registered(std::shared_ptr<State> state, std::uint64_t id) : state_(std::move(state)), id_(id) {}
  Registered(const Registered&) = delete;
  Registered& operator=(const Registered&) = delete;
  ~Registered() override {
    if (!state_) return;
    std::unique_lock lock(state_->mutex);
    state_->callbacks.erase(id_);
    if (state_->runner == std::this_thread::get_id()) return;  // ended from within a callback: perhaps its own
    state_->idle.wait(lock, [&] { return state_->running != id_; });
  }

 private:
  std::shared_ptr<State> state_;
  std::uint64_t id_;
};

}  // namespace

bool CancelToken::is_cancelled() const {
  if (!state_) return false;
  const std::scoped_lock lock(state_->mutex);
  return state_->cancelled;
}

std::unique_ptr<CancelToken::Registration> CancelToken::on_cancel(std::function<void()> callback) const {
  if (!state_) return std::make_unique<Registered<State>>(nullptr, 0);
  std::unique_lock lock(state_->mutex);
  const auto id = ++state_->last_id;
  if (!state_->cancelled) {
    state_->callbacks.emplace(id, std::move(callback));
    return std::make_unique<Registered<State>>(state_, id);
  }
  lock.unlock();
  callback();
  return std::make_unique<Registered<State>>(nullptr, 0);
}

CancelSource::CancelSource() : state_(std::make_shared<CancelToken::State>()) {}

CancelToken CancelSource::token() const {
  CancelToken token;
  token.state_ = state_;
  return token;
}

void CancelSource::cancel() {
  std::unique_lock lock(state_->mutex);
  if (std::exchange(state_->cancelled, true)) return;
  state_->runner = std::this_thread::get_id();
  while (!state_->callbacks.empty()) {
    auto first = state_->callbacks.extract(state_->callbacks.begin());
    state_->running = first.key();
    lock.unlock();
    first.mapped()();
    first = {};  // what it captured ends here, not under the lock
    lock.lock();
    state_->running = 0;
    state_->idle.notify_all();
  }
  state_->runner = {};
}

}  // namespace picket::core
