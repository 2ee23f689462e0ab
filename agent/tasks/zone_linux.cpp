#include <ctime>

#include "tasks/zone.hpp"

namespace picket::tasks {
namespace {

class SystemZone final : public Zone {
 public:
  [[nodiscard]] std::int64_t offset_at(std::int64_t unix_seconds) const override {
    ::tzset();  // localtime_r need not look whether the zone was changed
    const std::time_t at = unix_seconds;
    std::tm local{};
    return ::localtime_r(&at, &local) == nullptr ? 0 : local.tm_gmtoff;
  }
};

}  // namespace

const Zone& system_zone() {
  static const SystemZone zone;
  return zone;
}

}  // namespace picket::tasks
