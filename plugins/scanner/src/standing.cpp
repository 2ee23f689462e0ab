#include "standing.hpp"

#include <initializer_list>

namespace scanner {
namespace {

std::string joined(std::initializer_list<std::string> parts) {
  std::string out;
  for (const auto& part : parts)
    if (!part.empty()) out += (out.empty() ? "" : "; ") + part;
  return out;
}

std::string name_of(std::uint64_t release, const std::string& variant) { return "release " + std::to_string(release) + " (" + variant + ")"; }

}  // namespace

std::string Standing::lost() const {
  if (!databases.digests || !databases.digests->is_light() || ksn_trouble.empty()) return {};
  return ksn_trouble + ": what only the light digest database hits is suspected, not confirmed";
}

std::string Standing::missing() const { return databases.rules ? "" : rules_coming > 0 ? kRulesComing : databases.digests ? kNoRules : kNoDatabases; }

std::string Standing::complaint() const {
  if (auto why = missing(); !why.empty()) return why;
  return joined({databases.rules->note(), digests_refused, lost()});
}

picket::scan::v1::ScannerState Standing::state() const {
  picket::scan::v1::ScannerState out;
  out.set_ready(databases.rules != nullptr);
  out.set_release(databases.release);
  out.set_variant(databases.variant);
  out.set_rules(databases.rules ? databases.rules->count() : 0);
  out.set_digests_release(databases.digests_release);
  out.set_digests_variant(databases.digests_variant);
  out.set_digests(databases.digests ? databases.digests->counts().all() : 0);
  out.set_lost(lost());
  std::string rules;
  if (databases.rules)
    rules = std::to_string(databases.rules->count()) + " rules of " + name_of(databases.release, databases.variant);
  else
    rules = rules_refused.empty() || rules_coming > 0 ? missing() : databases.digests ? "no rules" : "no databases";
  std::string digests;
  if (databases.digests) digests = std::to_string(databases.digests->counts().all()) + " digests of " + name_of(databases.digests_release, databases.digests_variant);
  out.set_text(joined({rules, databases.rules ? databases.rules->note() : std::string(), rules_refused, digests, digests_refused, lost()}));
  return out;
}

}  // namespace scanner
