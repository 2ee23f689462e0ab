#include "runtime/timers.hpp"

#include <condition_variable>
#include <algorithm>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>

#include "runtime/thread.hpp"

namespace picket::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

class TimerThread final : public Timers {
 public:
  TimerThread() : thread_(start_thread("picket-timers", [this] { run(); })) {}
  TimerThread(const TimerThread&) = delete;
  TimerThread& operator=(const TimerThread&) = delete;
  ~TimerThread() override {
    {
      const std::scoped_lock lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  Id start(milliseconds delay, milliseconds period, std::function<void()> callback) override {
    // Far beyond any use, near enough that the sum cannot overflow.
    constexpr auto kLongest = std::chrono::hours(24 * 3650);
    const auto due = steady_clock::now() + std::clamp<milliseconds>(delay, milliseconds(0), kLongest);
    bool nearest = false;
    Id id = 0;
    {
      const std::scoped_lock lock(mutex_);
      id = ++last_id_;
      timers_.emplace(id, Timer{due, std::clamp<milliseconds>(period, milliseconds(0), kLongest), std::move(callback)});
      order_.emplace(due, id);
      nearest = order_.begin()->second == id;
    }
    if (nearest) wake_.notify_all();
    return id;
  }

  void cancel(Id id) override {
    Timer removed;  // what its callback captured ends after the lock is released
    std::unique_lock lock(mutex_);
    if (const auto found = timers_.find(id); found != timers_.end()) {
      order_.erase({found->second.due, id});
      removed = std::move(found->second);
      timers_.erase(found);
    }
    if (std::this_thread::get_id() != thread_.get_id()) done_.wait(lock, [&] { return running_ != id; });
  }

 private:
  struct Timer {
    steady_clock::time_point due;
    milliseconds period{0};
    std::function<void()> callback;
  };

  void run() {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      if (order_.empty()) {
        wake_.wait(lock);
        continue;
      }
      const auto [due, id] = *order_.begin();
      if (const auto now = steady_clock::now(); now < due) {
        wake_.wait_until(lock, due);
        continue;
      }
      fire(lock, id);
    }
  }

  void fire(std::unique_lock<std::mutex>& lock, Id id) {
    order_.erase(order_.begin());
    auto found = timers_.find(id);
    auto callback = std::move(found->second.callback);
    const bool again = found->second.period.count() > 0;
    if (!again) timers_.erase(found);
    running_ = id;
    lock.unlock();
    callback();
    if (!again) callback = nullptr;
    lock.lock();
    if (again)
      if (found = timers_.find(id); found != timers_.end()) {  // not cancelled meanwhile
        auto& timer = found->second;
        timer.callback = std::move(callback);
        timer.due = steady_clock::now() + timer.period;  // however late this one was: who gives others a period to answer in gives a whole one
        order_.emplace(timer.due, id);
      }
    if (callback) {
      lock.unlock();
      callback = nullptr;
      lock.lock();
    }
    running_ = 0;
    done_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::unordered_map<Id, Timer> timers_;
  std::set<std::pair<steady_clock::time_point, Id>> order_;
  Id last_id_ = 0;
  Id running_ = 0;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Timers> Timers::make() { return std::make_unique<TimerThread>(); }

}  // namespace picket::runtime
