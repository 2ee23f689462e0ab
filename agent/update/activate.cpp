#include "update/activate.hpp"

#include <algorithm>
#include <set>

namespace picket::update {

Result<> Activation::switch_to(const std::string& component, const std::string& set, Why why) {
  const auto from = ledger_.record(component).in_force;
  PICKET_TRY(ledger_.begin(component, {from, set, why == Why::restore, why == Why::rollback || why == Why::restore, why == Why::trial}));
  if (auto switched = sets_.point_current(component, set); !switched) {
    // The link did not move: nothing happened. If not even this can be written, the next start finds it out.
    (void)ledger_.abandoned(component);
    return switched;
  }
  return ledger_.switched(component, clock_.wall_seconds());
}

Result<> Activation::recover(const std::function<void(std::string_view, std::string_view)>& tell) {
  std::set<std::string> components;
  for (const auto& [component, record] : ledger_.records()) components.insert(component);
  for (auto& component : sets_.components()) components.insert(std::move(component));
  for (const auto& component : components) PICKET_TRY(recover_one(component, tell));
  return {};
}

Result<> Activation::recover_one(const std::string& component, const std::function<void(std::string_view, std::string_view)>& tell) {
  const auto link = sets_.current(component);
  if (const auto pending = ledger_.record(component).pending) {
    if (pending->restoring && link != pending->to) {
      PICKET_TRY(sets_.point_current(component, pending->to));
      PICKET_TRY(ledger_.switched(component, clock_.wall_seconds()));
      tell(component, cat("finished going back to ", pending->to.empty() ? "no set" : pending->to));
    } else if (link == pending->to) {
      PICKET_TRY(ledger_.switched(component, clock_.wall_seconds()));
      tell(component, cat("finished the switch to ", pending->to));
    } else {
      PICKET_TRY(ledger_.abandoned(component));
      tell(component, cat("the switch to ", pending->to, " had not happened: undone"));
    }
  }
  // Link and journal agree, and the set is whole?
  const auto now_link = sets_.current(component);
  const auto& record = ledger_.record(component);
  auto whole = [&](const std::string& set) { return sets_.info(component, set).has_value(); };
  if (now_link == record.in_force && (now_link.empty() || whole(now_link))) return {};
  if (!now_link.empty() && whole(now_link)) {
    tell(component, cat("the journal did not know that ", now_link, " is in force"));
    return ledger_.found(component, now_link, clock_.wall_seconds());
  }
  std::vector<std::string> candidates;
  if (!record.in_force.empty()) candidates.push_back(record.in_force);
  candidates.insert(candidates.end(), record.earlier.begin(), record.earlier.end());
  for (const auto& info : sets_.list(component)) {
    const bool refused = std::ranges::any_of(record.refused, [&](const auto& refusal) { return refusal.release == info.release; });
    if (!refused && info.release <= std::max<std::uint64_t>(record.in_force.empty() ? UINT64_MAX : std::strtoull(record.in_force.c_str(), nullptr, 10), 1))
      candidates.push_back(info.name());
  }
  const auto found = std::ranges::find_if(candidates, whole);
  const std::string back = found == candidates.end() ? std::string() : *found;
  // Sets that were stored but never in force stay for the next run to take.
  if (back.empty() && record.in_force.empty() && now_link.empty()) return {};
  tell(component, cat(record.in_force.empty() ? cat("the link to ", now_link) : record.in_force, back == record.in_force ? ": the link was lost: put back" : cat(" is missing or damaged: ", back.empty() ? "nothing" : back, " is in force")));
  PICKET_TRY(sets_.point_current(component, back));
  return ledger_.found(component, back, clock_.wall_seconds());
}

std::vector<SetInfo> Activation::kept(std::string_view component) const {
  const auto& record = ledger_.record(component);
  std::vector<SetInfo> out;
  auto active = sets_.info(component, record.in_force);
  if (!active) return out;
  auto take = [&](SetInfo info) {
    const bool known = std::ranges::any_of(out, [&](const auto& other) { return other.release == info.release; });
    const bool refused = std::ranges::any_of(record.refused, [&](const auto& refusal) { return refusal.release == info.release; });
    if (!known && !refused && info.release < active->release) out.push_back(std::move(info));
  };
  for (const auto& set : record.earlier)
    if (auto info = sets_.info(component, set)) take(std::move(*info));
  for (auto& info : sets_.list(component)) take(std::move(info));  // the journal may have been lost
  std::ranges::sort(out, [](const auto& a, const auto& b) { return a.release > b.release; });
  return out;
}

std::optional<SetInfo> Activation::fetched_ahead(const std::string& component) const {
  const auto& record = ledger_.record(component);
  const auto active = sets_.info(component, record.in_force);
  for (auto& info : sets_.list(component)) {  // highest release first
    if (active && info.release <= active->release) break;
    const bool refused = std::ranges::any_of(record.refused, [&](const auto& refusal) { return refusal.release == info.release; });
    const bool was_in_force = std::ranges::find(record.earlier, info.name()) != record.earlier.end();
    if (!refused && !was_in_force) return std::move(info);
  }
  return std::nullopt;
}

Result<std::size_t> Activation::collect(const std::string& component, std::size_t keep) {
  const auto record = ledger_.record(component);  // by value: it changes below
  std::set<std::string> wanted{record.in_force};
  auto earlier = kept(component);
  for (std::size_t i = 0; i < earlier.size() && i < keep; ++i) wanted.insert(earlier[i].name());
  if (auto ahead = fetched_ahead(component)) wanted.insert(ahead->name());
  if (record.verified) wanted.insert(*record.verified);  // where a trial that fails leads back to
  std::size_t gone = 0;
  for (const auto& info : sets_.list(component)) {
    if (wanted.contains(info.name())) continue;
    if (std::ranges::find(record.earlier, info.name()) != record.earlier.end()) PICKET_TRY(ledger_.forget_set(component, info.name()));
    PICKET_TRY(sets_.remove(component, info.name()));
    ++gone;
  }
  return gone;
}

}  // namespace picket::update
