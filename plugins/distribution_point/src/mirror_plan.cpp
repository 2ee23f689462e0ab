// What each wish needs: releases, the deltas that lead to the newest one, and what of all that finds room.
#include <algorithm>
#include <set>
#include <utility>

#include "base/bytes.hpp"
#include "base/progress.hpp"
#include "mirror_run.hpp"

namespace distribution_point {

namespace {

// Not the fault of what was asked for: the next run may well have more luck.
bool is_passing(Code code) {
  return code == Code::unavailable || code == Code::timeout || code == Code::io || code == Code::cancelled || code == Code::busy || code == Code::denied || code == Code::internal ||
         code == Code::no_space;
}

}  // namespace

std::pair<int, std::ptrdiff_t> Mirror::importance_of(const ComponentVariant& wish) const {
  const auto& by = wishes_.at(wish);
  return {by.front() == kOfSettings ? 0 : by.front() == kOfAgent ? 1 : 2, -static_cast<std::ptrdiff_t>(by.size())};
}

Result<> Mirror::plan(Run& run) {
  std::set<std::string> components;
  for (const auto& [wish, by] : wishes_) components.insert(wish.component);
  for (const auto& component : components) {
    if (run.cancelled) return fail(Code::cancelled, "cancelled");
    PICKET_TRY(plan_component(run, component));
  }
  // When not all fits, the last goes.
  std::ranges::stable_sort(run.needs, {}, [this](const Run::Need& need) { return importance_of(need.wish); });
  return {};
}

Result<> Mirror::plan_component(Run& run, const std::string& component) {
  const auto of_component = [&](const auto& act) {
    for (auto at = wishes_.lower_bound({component, {}}); at != wishes_.end() && at->first.component == component; ++at)
      act(at->first, at->second.front() == kOfSettings || at->second.front() == kOfAgent);
  };
  run.tell("plan", component, "");
  auto targets = targets_of(run, component);
  if (!targets) {
    if (is_passing(targets.error().code)) return fail(std::move(targets).error(), component);
    const bool unknown = targets.error().code == Code::not_found;
    const bool kept = !unknown && keep_earlier(run, component);
    const auto why = unknown ? std::string("the repository does not offer it")
                             : cat("no source could give its metadata: ", targets.error().message, kept ? "; its earlier files are kept" : "");
    // A device may ask for what does not exist, and the agent can do without what no source brought yet: shown, but no reason to call the point's work partial.
    of_component([&](const ComponentVariant& wish, bool ours) {
      const bool may_lack = unknown || (!kept && targets.error().code == Code::conflict && wishes_.at(wish) == std::vector<std::string>{"agent (optional)"});
      miss(run, wish, why, ours || !may_lack);
    });
    return {};
  }
  run.roles.push_back(component);
  std::vector<trust::Release> releases;
  std::vector<trust::Delta> deltas;
  for (const auto& target : *targets) {
    auto release = trust::parse_release(target);
    if (release && release->component == component) releases.push_back(std::move(*release));
    if (release) continue;
    if (auto delta = trust::parse_delta(target)) deltas.push_back(std::move(*delta));
    else parts_.log(cat("passed over: ", target.path, ": ", release.error().message));
  }
  std::ranges::sort(releases, std::greater(), &trust::Release::release);
  // What the administrator declined, or the agent here holds back, is not offered to those behind this point: they go on with the newest of the others.
  const bool any = !releases.empty();
  const bool is_verified = run.roads.are_verified(component);
  std::erase_if(releases, [&](const auto& release) {
    const bool is_declined = run.roads.declines(component, static_cast<std::uint64_t>(release.release));
    if (is_declined || (!is_verified && run.settings.hold_unverified)) run.held[component].insert(release.release);
    return is_declined;
  });
  if (any && releases.empty()) {
    of_component([&](const ComponentVariant& wish, bool) { miss(run, wish, "every release of it is declined or held back", false); });
    return {};
  }
  // Only devices want it, or the verification leaves it out: nobody tried it here.
  if (!is_verified && run.settings.hold_unverified) {
    of_component([&](const ComponentVariant& wish, bool) { miss(run, wish, "no verification of this agent tries it, and setting unverified is hold", false); });
    return {};
  }
  of_component([&](const ComponentVariant& wish, bool ours) {
    const auto has = [&](std::string_view variant) { return std::ranges::any_of(releases, [&](const auto& release) { return release.variant == variant; }); };
    // A component that has only one variant is brought in that one, as the agents do.
    const std::string variant = has(wish.variant) ? wish.variant : wish.variant == "light" ? "full" : "light";
    if (!has(variant)) return miss(run, wish, "the repository has no release of it", ours);
    Run::Need need{wish, 0, {}, !is_verified && run.roads.is_any_verified()};
    for (const auto& release : releases) {
      const auto key = key_of(release.hashes);
      if (release.variant != variant || key.empty()) continue;  // the parser wants one of them
      const auto number = static_cast<std::uint64_t>(release.release);
      const File file{trust::consistent_target_path(release.path, key), key, release.length, release.hashes, false, number};
      if (need.files.size() >= run.settings.releases) {
        if (!need.at_hand && parts_.store.has(key, release.length)) need.at_hand = file;
        continue;
      }
      need.release = std::max(need.release, number);
      need.files.push_back(file);
    }
    add_deltas(run.settings, variant, releases, deltas, need.files);
    run.needs.push_back(std::move(need));
  });
  return {};
}

// The ways to the newest release and to those on the way there, the newest first, as long as all together are less than the release itself:
// more than that spares nobody anything.
void Mirror::add_deltas(const MirrorSettings& settings, const std::string& variant, const std::vector<trust::Release>& releases, const std::vector<trust::Delta>& deltas,
                        std::vector<File>& files) const {
  const auto newest = std::ranges::find(releases, variant, &trust::Release::variant);  // they are sorted
  if (!settings.deltas || newest == releases.end()) return;
  std::vector<const trust::Delta*> ways;
  for (const auto& delta : deltas)
    if (delta.variant == variant && delta.release <= newest->release) ways.push_back(&delta);
  std::ranges::stable_sort(ways, [](const auto* a, const auto* b) { return std::pair(a->release, a->base) > std::pair(b->release, b->base); });
  std::uint64_t left = newest->length;
  for (const auto* delta : ways) {
    const auto key = key_of(delta->hashes);
    if (key.empty() || delta->length > left) continue;
    left -= delta->length;
    files.push_back({trust::consistent_target_path(delta->path, key), key, delta->length, delta->hashes, true});
  }
}

// First the newest release of each, then what is kept beside it: no component goes for another one's past.
void Mirror::fit_into_space(Run& run) {
  constexpr std::uint64_t kReserve = 64u << 20;  // for metadata, journals and whoever shares the disk
  const auto free = parts_.store.free_bytes();
  const std::uint64_t may_add = free ? (*free > kReserve ? *free - kReserve : 0) : ~std::uint64_t{0};
  const auto quota = run.settings.quota_bytes;
  std::set<std::string, std::less<>> counted;
  std::uint64_t held = 0, added = 0;
  // Empty: it is taken. Else where there is no room.
  const auto take = [&](const File& file) -> std::string {
    if (counted.contains(file.key)) return {};
    const auto fresh = parts_.store.has(file.key, file.length) ? 0 : file.length;
    if (quota != 0 && held + file.length > quota) return cat("into the quota of ", picket::human_bytes(quota));
    if (fresh > may_add - added) return "onto the disk";
    held += file.length;
    added += fresh;
    counted.insert(file.key);
    return {};
  };
  std::erase_if(run.needs, [&](const Run::Need& need) {
    if (need.files.empty()) return false;
    const auto where = take(need.files.front());
    if (!where.empty()) miss(run, need.wish, cat("its ", picket::human_bytes(need.files.front().length), " do not fit ", where), true);
    return !where.empty();
  });
  for (auto& need : run.needs) {
    std::size_t releases = 0, deltas = 0;
    std::string where;
    std::erase_if(need.files, [&](const File& file) {
      const auto no_room = take(file);
      if (no_room.empty()) return false;
      where = no_room;
      ++(file.spares_only ? deltas : releases);
      return true;
    });
    if (where.empty()) continue;
    const auto what = cat(releases > 0 ? cat(std::to_string(releases), " of its older releases") : "", releases > 0 && deltas > 0 ? " and " : "",
                          deltas > 0 ? cat(std::to_string(deltas), " of its deltas") : "");
    miss(run, need.wish, cat(what, " do not fit ", where, ": the newest release is served"), releases > 0);
  }
  run.total = added;
}

}  // namespace distribution_point
