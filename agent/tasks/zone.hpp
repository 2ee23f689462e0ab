// Local time. The offset from UTC is all that the calculation needs, so that tests bring zones of their own.
#pragma once

#include <cstdint>

namespace picket::tasks {

class Zone {
 public:
  virtual ~Zone() = default;
  // Seconds east of UTC that are in force at this moment.
  [[nodiscard]] virtual std::int64_t offset_at(std::int64_t unix_seconds) const = 0;
};

// This computer's, also after it was changed.
[[nodiscard]] const Zone& system_zone();

}  // namespace picket::tasks
