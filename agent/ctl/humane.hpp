// Times and sizes as people say them.
#pragma once

#include <cstdint>
#include <string>

namespace picket::ctl {

[[nodiscard]] std::string date(std::int64_t unix_seconds);                    // "2026-10-25 10:00:00Z"; 0: "never"
[[nodiscard]] std::string span(std::int64_t seconds);                         // "3 h 12 min"
[[nodiscard]] std::string ago(std::int64_t unix_seconds, std::int64_t now);   // "3 h 12 min ago", "in 5 min", "never"

}  // namespace picket::ctl
