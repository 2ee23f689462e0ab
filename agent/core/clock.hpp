// Time is injected: the real clock in picketd, a hand-driven one in tests.
#pragma once

#include <chrono>
#include <cstdint>

namespace picket::core {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual std::int64_t wall_seconds() const = 0;          // Unix time
  [[nodiscard]] virtual std::chrono::milliseconds monotonic() const = 0;  // only differences mean something
};

[[nodiscard]] const Clock& system_clock();

}  // namespace picket::core
