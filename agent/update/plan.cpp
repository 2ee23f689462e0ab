#include "update/plan.hpp"

#include <algorithm>
#include <charconv>
#include <map>

namespace picket::update {
namespace {

using trust::Release;

constexpr std::string_view kDeclined = "declined in the settings", kApproval = "waits for approval";

const ReleaseRef* find(const std::vector<ReleaseRef>& list, std::string_view component, std::uint64_t release) {
  const auto found = std::ranges::find_if(list, [&](const auto& ref) { return ref.component == component && (release == 0 || ref.release == 0 || ref.release == release); });
  return found == list.end() ? nullptr : &*found;
}

std::string name_of(std::uint64_t release) { return cat("release ", std::to_string(release)); }

// Why this release may not be taken; empty: it may.
std::string objection(const PlanQuestion& question, const Release& release, bool pinned) {
  const auto number = static_cast<std::uint64_t>(release.release);
  if (find(question.settings.declined, question.component, number) != nullptr) return std::string(kDeclined);
  for (const auto& refusal : question.refused)
    if (refusal.release == number && !(pinned && refusal.by_rollback)) return cat("refused: ", refusal.why);
  if (compare_versions(release.minimum_agent, question.agent_version) > 0)
    return cat("needs agent ", release.minimum_agent, ", this is ", question.agent_version);
  const bool approval = (release.cls == "agent" && question.settings.approve_agent) || (release.cls == "application" && question.settings.approve_application);
  if (approval && find(question.settings.approved, question.component, number) == nullptr) return cat(kApproval, " (class ", release.cls, ")");
  return {};
}

}  // namespace

int compare_versions(std::string_view a, std::string_view b) {
  auto take = [](std::string_view& text) {
    std::uint64_t value = 0;
    const auto dot = std::min(text.find('.'), text.size());
    std::from_chars(text.data(), text.data() + dot, value);
    text.remove_prefix(std::min(dot + 1, text.size()));
    return value;
  };
  while (!a.empty() || !b.empty()) {
    const auto x = take(a), y = take(b);
    if (x != y) return x < y ? -1 : 1;
  }
  return 0;
}

Plan make_plan(const PlanQuestion& question) {
  Plan plan;
  // release -> its variants, newest first.
  std::map<std::uint64_t, std::vector<const Release*>, std::greater<>> offered;
  for (const auto& release : question.releases) offered[static_cast<std::uint64_t>(release.release)].push_back(&release);

  const auto* pin = find(question.settings.pinned, question.component, 0);
  const std::uint64_t active = question.active ? question.active->release : 0;
  if (pin != nullptr) plan.notes.push_back(cat("pinned to ", name_of(pin->release)));

  const bool leave = question.active && find(question.settings.declined, question.component, active) != nullptr;

  auto& obstacle = plan.obstacle;
  for (const auto& [number, variants] : offered) {
    if (pin != nullptr && number != pin->release) continue;
    if (pin == nullptr && number < active && !leave) {
      plan.notes.push_back(cat(name_of(number), " is lower than the one in force: never taken without pin or rollback"));
      break;
    }
    // The wanted variant if it exists and may be taken, else another.
    const Release* chosen = nullptr;
    std::string why_not;
    for (const bool wanted : {true, false})
      for (const auto* release : variants) {
        if (chosen != nullptr || (release->variant == question.wanted_variant) != wanted) continue;
        if (auto why = objection(question, *release, pin != nullptr); why.empty()) chosen = release;
        else if (why_not.empty()) why_not = std::move(why);
      }
    if (chosen == nullptr) {
      plan.notes.push_back(cat(name_of(number), ": ", why_not));
      if (obstacle.empty()) obstacle = cat(name_of(number), ": ", why_not);
      continue;
    }
    if (chosen->variant != question.wanted_variant)
      plan.notes.push_back(cat(name_of(number), " has no usable variant ", question.wanted_variant, ": ", chosen->variant, " is taken"));
    const auto& is = question.active;
    if (is && is->release == number && is->variant == chosen->variant && is->content_sha256 == chosen->content_sha256) {
      plan.what = Plan::What::keep;
      plan.release = chosen;
      plan.why = cat(name_of(number), " (", chosen->variant, ") is in force already");
      if (!obstacle.empty()) plan.why += cat("; ", obstacle);
      return plan;
    }
    plan.what = Plan::What::install;
    plan.release = chosen;
    plan.why = !is                      ? cat(name_of(number), " (", chosen->variant, ") is the first")
               : is->release < number   ? cat(name_of(number), " (", chosen->variant, ") is newer than ", std::to_string(is->release))
               : is->release > number   ? leave ? cat("back to ", name_of(number), " (", chosen->variant, "): ", name_of(is->release), " is ", kDeclined)
                                                : cat("back to ", name_of(number), " (", chosen->variant, "), which is pinned")
               : is->variant != chosen->variant ? cat("variant ", chosen->variant, " of ", name_of(number), " instead of ", is->variant)
                                        : cat(name_of(number), " (", chosen->variant, ") was published again with other content");
    return plan;
  }
  if (question.active && leave) {
    plan.what = Plan::What::keep;
    plan.leave = true;
    plan.why = cat(name_of(active), " is ", kDeclined);
    return plan;
  }
  if (question.active) {
    plan.what = Plan::What::keep;
    plan.why = cat(name_of(active), " stays; ", !obstacle.empty() ? obstacle : pin != nullptr ? cat("the pinned ", name_of(pin->release), " is not offered") : "nothing newer is offered");
    return plan;
  }
  plan.what = Plan::What::impossible;
  plan.by_choice = obstacle.ends_with(kDeclined) || obstacle.find(kApproval) != obstacle.npos;
  plan.why = !obstacle.empty() ? obstacle : pin != nullptr ? cat("the pinned ", name_of(pin->release), " is not offered") : "no release is offered";
  return plan;
}

}  // namespace picket::update
