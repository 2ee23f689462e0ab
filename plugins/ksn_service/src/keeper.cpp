#include "keeper.hpp"

namespace ksn_service {

using picket::Result;
using picket::fail;

constexpr std::chrono::seconds kLook{1};

void Keeper::say(std::unique_lock<std::mutex>& lock, bool good, std::string line) {
  const bool news = !told_ || good != good_ || line != line_;
  told_ = true;
  good_ = good;
  line_ = line;
  lock.unlock();
  if (news && tell_) tell_(good, line);
}

Result<std::shared_ptr<picket::ksn_store::Store>> Keeper::get() {
  std::unique_lock lock(mutex_);
  const auto now = Clock::now();
  if (looked_ != Clock::time_point{} && now - looked_ < kLook) {
    if (store_) return store_;
    return fail(why_);
  }
  looked_ = now;
  const auto refuse = [&](picket::Error why) {
    why_ = why;
    say(lock, false, why.message);
    return fail(std::move(why));
  };
  if (store_) {
    const auto good = store_->check();
    if (good) return store_;
    former_ = store_;
    store_.reset();
    // The last user of what was open may be another thread; then the next look opens it.
    if (!former_.expired()) return refuse(good.error());
  } else if (!former_.expired()) {
    return fail(why_);
  }
  auto opened = picket::ksn_store::open_store(where_);
  if (!opened) return refuse(std::move(opened).error());
  store_ = std::move(*opened);
  auto out = store_;
  say(lock, true, out->name());
  return out;
}

void Keeper::failed(const picket::Error& error) {
  std::unique_lock lock(mutex_);
  looked_ = {};  // look at once
  say(lock, false, error.message);
}

void Keeper::worked() {
  std::unique_lock lock(mutex_);
  if (good_ || !store_) return;
  say(lock, true, store_->name());
}

std::string Keeper::state() const {
  const std::lock_guard lock(mutex_);
  return told_ ? line_ : std::string("the store was not asked yet");
}

}  // namespace ksn_service
