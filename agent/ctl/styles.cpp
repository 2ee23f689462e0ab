#include "ctl/styles.hpp"

#include <algorithm>
#include <array>

namespace picket::ctl {

Style style_of(std::string_view word) {
  constexpr std::array<std::string_view, 11> good{"exported", "fetched", "ok", "OK", "running", "healthy", "updated", "current", "idle", "approved", "applied"};
  constexpr std::array<std::string_view, 16> warning{"removed", "waiting", "disabled", "warning", "Warning", "warn", "degraded", "backing-off", "starting", "stopping", "verifying", "resting", "trial", "partial", "rolled-back", "pending"};
  constexpr std::array<std::string_view, 13> bad{"missed", "timed-out", "interrupted", "unsupported", "critical", "Critical", "fail", "failed", "refused", "denied", "busy", "cancelled", "none"};
  const auto in = [word](const auto& list) { return std::ranges::find(list, word) != list.end(); };
  return in(good) ? Style::good : in(warning) ? Style::warning : in(bad) ? Style::bad : Style::plain;
}

}  // namespace picket::ctl
