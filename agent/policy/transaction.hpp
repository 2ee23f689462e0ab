// Offers new settings to everyone whose settings change; if one does not take them, everyone goes back.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "policy/policy.hpp"

namespace picket::policy {

struct Change {
  std::string id;
  Effective before, after;
  bool has_before = false;  // false: there were no valid settings to go back to
  bool taken = false;       // offered, or handed out to a plugin that started meanwhile
};

struct Offered {
  bool ok = false;
  std::string text;         // who refused and why, and who could not go back
  std::vector<Outcome> outcomes;
};

// In order; stops at the first that is not ok. `take(change)` marks it under the owner's lock.
[[nodiscard]] Offered offer(std::vector<Change>& changes, Consumers& consumers, const std::function<void(Change&)>& take);

// Offers `before` again to those that took `after`, with the revision `revision`. Returns who could not go back, as text.
[[nodiscard]] std::string go_back(std::vector<Change>& changes, Consumers& consumers, std::uint64_t revision);

}  // namespace picket::policy
