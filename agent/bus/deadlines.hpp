// Ends requests that nobody answered in time, by one timer for the nearest of all deadlines.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "bus/open_request.hpp"

namespace picket::runtime { class Timers; }

namespace picket::bus {

class Deadlines : public std::enable_shared_from_this<Deadlines> {
 public:
  using Expire = std::function<void(const std::shared_ptr<OpenRequest>&)>;  // on the timers' thread
  Deadlines(runtime::Timers& timers, Expire expire) : timers_(timers), expire_(std::move(expire)) {}

  [[nodiscard]] bool add(const std::shared_ptr<OpenRequest>& open);  // false: stopped
  void remove(OpenRequest& open);
  void stop();  // no more timers are started; the router is going

 private:
  void arm(std::chrono::steady_clock::time_point at);  // under the lock
  void fire();

  runtime::Timers& timers_;
  const Expire expire_;
  std::mutex mutex_;
  DeadlineMap open_;
  // A nearer deadline starts another timer; the one before then fires for nothing, once.
  std::chrono::steady_clock::time_point armed_for_ = std::chrono::steady_clock::time_point::max();
  bool stopped_ = false;
};

}  // namespace picket::bus
