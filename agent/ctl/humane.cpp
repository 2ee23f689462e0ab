#include "ctl/humane.hpp"

#include <ctime>

namespace picket::ctl {

std::string date(std::int64_t unix_seconds) {
  if (unix_seconds == 0) return "never";
  const std::time_t at = unix_seconds;
  std::tm utc{};
  char text[40];
  if (::gmtime_r(&at, &utc) == nullptr) return "at an impossible time";
  return std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%SZ", &utc) == 0 ? "at an impossible time" : text;
}

std::string span(std::int64_t seconds) {
  struct Unit {
    std::int64_t seconds;
    const char* name;
    std::int64_t below;
    const char* below_name;
  };
  constexpr Unit units[] = {{86400, " d", 3600, " h"}, {3600, " h", 60, " min"}, {60, " min", 60, ""}};
  for (const auto& unit : units) {
    if (seconds < unit.seconds) continue;
    auto out = std::to_string(seconds / unit.seconds) + unit.name;
    const auto rest = seconds % unit.seconds / unit.below;
    if (rest > 0) out += " " + std::to_string(rest) + unit.below_name;
    return out;
  }
  return std::to_string(seconds) + " s";
}

std::string ago(std::int64_t unix_seconds, std::int64_t now) {
  if (unix_seconds == 0) return "never";
  return unix_seconds > now ? "in " + span(unix_seconds - now) : span(now - unix_seconds) + " ago";
}

}  // namespace picket::ctl
