#include "policy/transaction.hpp"

namespace picket::policy {

Offered offer(std::vector<Change>& changes, Consumers& consumers, const std::function<void(Change&)>& take) {
  Offered out;
  for (auto& change : changes) {
    take(change);
    auto outcome = consumers.apply(change.id, change.after);
    outcome.id = change.id;
    outcome.expected_revision = change.after.revision;
    const bool ok = outcome.ok;
    if (!ok) out.text = cat(change.id, " did not take the new settings: ", outcome.text.empty() ? "no reason given" : outcome.text);
    out.outcomes.push_back(std::move(outcome));
    if (!ok) return out;
  }
  out.ok = true;
  return out;
}

std::string go_back(std::vector<Change>& changes, Consumers& consumers, std::uint64_t revision) {
  std::string failures;
  for (auto& change : changes) {
    if (!change.taken) continue;
    std::string why;
    if (!change.has_before) {
      why = "it had no valid settings before";
    } else {
      change.before.revision = revision;
      change.before.is_back = true;
      const auto outcome = consumers.apply(change.id, change.before);
      if (!outcome.ok) why = outcome.text.empty() ? "no reason given" : outcome.text;
    }
    if (!why.empty()) failures += cat(failures.empty() ? "" : "; ", change.id, " could not go back: ", why);
  }
  return failures;
}

}  // namespace picket::policy
