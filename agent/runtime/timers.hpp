#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace picket::runtime {

// One thread waits for the nearest of all timers; callbacks run there and must be short (post to a strand).
class Timers {
 public:
  using Id = std::uint64_t;
  [[nodiscard]] static std::unique_ptr<Timers> make();
  virtual ~Timers() = default;
  // period 0: once; else again a whole period after the callback returned, none to catch up.
  virtual Id start(std::chrono::milliseconds delay, std::chrono::milliseconds period, std::function<void()> callback) = 0;
  // After it returned the callback does not run any more (it waits for one that is running, unless called from it).
  virtual void cancel(Id id) = 0;
};

}  // namespace picket::runtime
