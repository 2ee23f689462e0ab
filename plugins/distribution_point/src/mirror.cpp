#include "mirror.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "announcement.hpp"
#include "base/bytes.hpp"
#include "base/files.hpp"
#include "base/progress.hpp"
#include "mirror_run.hpp"

namespace distribution_point {
namespace {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
namespace trust = picket::trust;

constexpr std::string_view kOfPoints = "org.picket.source-distribution-point";
// Whose wishes count for more than a device's.
constexpr std::string_view kOfSettings = "settings", kOfAgent = "agent";

// Not the fault of what was asked for: the next run may well have more luck.
bool is_passing(Code code) {
  return code == Code::unavailable || code == Code::timeout || code == Code::io || code == Code::cancelled || code == Code::busy || code == Code::denied || code == Code::internal ||
         code == Code::no_space;
}

}  // namespace

Result<std::string> Mirror::Fetcher::fetch_metadata(std::string_view path, std::uint64_t max_bytes) {
  if (cancelled_) return fail(Code::cancelled, "cancelled");
  if (road == nullptr) return fail(Code::unavailable, "no source");
  std::string out;
  auto got = upstream_.fetch(*road, cat("metadata/", path), 0, max_bytes + 1, [&](std::string_view chunk) -> Result<> {
    bytes += chunk.size();
    out.append(chunk);
    if (out.size() > max_bytes) return fail(Code::too_large, cat(path, " is longer than the limit of ", picket::human_bytes(max_bytes)));
    return {};
  });
  if (!got) return fail(std::move(got).error());
  if (self_.id.empty() || got->point.empty()) return out;
  chain = parse_chain(got->point);
  refused = why_not_follow(self_, chain);
  if (!refused.empty()) return fail(Code::conflict, refused);
  return out;
}

Result<Catalogue> Mirror::catalogue_of(std::uint64_t set) const {
  PICKET_LET(catalogue, Catalogue::load(parts_.store.set_folder(set)));
  auto others = parts_.store.earlier();
  others.push_back(parts_.store.published());  // when `set` is about to take its place
  for (const auto other : others) {
    if (other == set || other == 0) continue;
    if (auto old = Catalogue::load(parts_.store.set_folder(other))) catalogue.add_missing(*old);
  }
  return std::move(catalogue);
}

void Mirror::serve(Catalogue catalogue) {
  if (!self_.id.empty()) {
    Chain chain{self_};
    chain.insert(chain.end(), followed_.begin(), followed_.end());
    catalogue.set_point(to_header(chain));
  }
  parts_.serve(std::make_shared<Catalogue>(std::move(catalogue)));
}

void Mirror::follow(Chain chain) {
  if (chain == followed_) return;
  followed_ = std::move(chain);
  serve_again();
}

void Mirror::serve_again() {
  if (auto served = serve_published(); !served) parts_.log(served.error().message);
}

Result<> Mirror::serve_published() {
  const auto set = parts_.store.published();
  if (set == 0) return {};
  auto catalogue = catalogue_of(set);
  if (!catalogue) return fail(std::move(catalogue).error(), "the published set");
  withdraw(*catalogue, set);
  serve(std::move(*catalogue));
  return {};
}

Scrub::Portion Mirror::look_for_damage(std::uint64_t bytes, const std::function<bool()>& stop) {
  auto portion = Scrub(parts_.store).read(bytes, stop);
  // They went from the disk first, so a request in between is told to come back; nobody gets bytes that are known to be wrong.
  if (!portion.damaged.empty()) serve_again();
  return portion;
}

Scrub::Portion Mirror::look_for_damage() {
  Scrub(parts_.store).begin_anew();
  return look_for_damage(~std::uint64_t{0});
}

std::uint64_t Mirror::release_of(const ComponentVariant& wish) const {
  const auto found = served_.find(wish);
  return found == served_.end() ? 0 : found->second;
}

void Mirror::miss(Run& run, const ComponentVariant& wish, std::string_view why, bool counts) {
  run.miss(cat(wish.component, "/", wish.variant, ": ", why), counts);
}

v1::PointResult Mirror::run(const MirrorSettings& settings, const Wishes& devices, const std::vector<std::string>& more, const Progress& progress,
                            const std::atomic<bool>& cancelled, std::uint64_t id, bool is_ordered) {
  Run run{settings, progress, cancelled, is_ordered};
  run.result.set_point(settings.name);
  if (std::exchange(self_.name, settings.name) != settings.name && !self_.id.empty()) serve_again();
  wishes_ = devices;
  for (auto& [wish, by] : wishes_)
    for (auto& name : by)
      if (name == kOfSettings || name == kOfAgent) name = cat("device ", name);  // a device may call itself anything
  for (const auto& wish : settings.components) wishes_[wish].emplace(wishes_[wish].begin(), kOfSettings);
  for (const auto& component : more) wishes_[{component, "full"}].emplace(wishes_[{component, "full"}].begin(), kOfSettings);

  const auto work = [&]() -> Result<> {
    run.tell("check", "", "looking for updates");
    PICKET_LET(roads, parts_.upstream.roads(id));
    run.roads = std::move(roads);
    if (settings.agent_demand) {
      auto wanted = parts_.upstream.agent_demand();
      if (!wanted) return fail(std::move(wanted).error(), "ask the agent what it needs");
      for (const auto& wish : *wanted) {
        auto& by = wishes_[wish.what];
        // What the agent can do without is mirrored where it is offered; that it is not is no lack.
        if (wish.is_optional) by.push_back("agent (optional)");
        else by.emplace(std::ranges::find_if(by, [](const auto& name) { return name != kOfSettings; }), kOfAgent);
      }
    }
    PICKET_TRY(check(run));
    PICKET_TRY(plan(run));
    fit_into_space(run);
    PICKET_TRY(fetch_all(run));
    return publish(run);
  };
  const auto done = work();
  if (run.unnamed > 0) run.result.add_missing(cat("and ", std::to_string(run.unnamed), " more"));
  run.result.set_set(parts_.store.published());
  run.result.set_bytes(run.target_bytes + (run.fetcher ? run.fetcher->bytes : 0));
  if (!done) {
    run.result.set_result_class(std::string(done.error().code == Code::unsupported ? kUnsupported : kFailed));
    run.result.set_reason(std::string(picket::whole_characters(done.error().message, Run::kMostReason)));
  } else if (!run.lack.empty()) {
    run.result.set_result_class(std::string(kPartial));
    run.result.set_reason(std::string(picket::whole_characters(cat("does not hold all that is demanded: ", run.lack), Run::kMostReason)));
  } else {
    run.result.set_result_class(std::string(kOk));
  }
  run.client.reset();  // its lock and its memory
  if (done) {
    run.tell("clean", "", "");
    clean(settings.grace);
    std::set<std::string, std::less<>> wanted;
    for (const auto& need : run.needs)
      for (const auto& file : need.files) wanted.insert(file.key);
    if (const auto freed = parts_.store.remove_unused([&](std::string_view key) { return wanted.contains(key); }); freed > 0)
      parts_.log(cat("removed ", picket::human_bytes(freed), " that nothing refers to"));
  }
  run.tell("done", "", cat(run.result.result_class(), run.result.reason().empty() ? "" : ": ", run.result.reason()));
  return std::move(run.result);
}

// Those to ask, in order. One that rests is left alone while another does not: a rest spares waiting, and servers that lock out who asks too often.
Result<> Mirror::choose_roads(Run& run) {
  auto& roads = run.roads.roads;
  const auto& chosen = run.settings.sources;
  if (roads.empty()) return fail(Code::unavailable, "the agent has no update source");
  std::erase_if(roads, [&](const Road& road) {
    // One list of sources serves all computers of a site. A point that followed it to the site's points would follow itself, or two each other: what they
    // serve stays whole and valid, so that nothing new would come and nobody would hear of it.
    const bool left_out = chosen.empty() ? road.plugin == kOfPoints : std::ranges::find(chosen, road.name) == chosen.end();
    if (left_out) run.say(road.name, chosen.empty() ? "left out: a point follows other points only where its setting sources names them" : "left out: the point's setting sources does not name it");
    return left_out;
  });
  if (roads.empty())
    return fail(Code::unavailable, chosen.empty() ? "the agent's only update sources are distribution points, and the point's setting sources names none of them" : "the agent has none of the sources that the settings name");
  std::string waiting;
  for (const auto& road : roads) {
    if (road.rests.count() == 0) continue;
    const auto text = cat("rests for ", std::to_string(road.rests.count()), " s more", road.rest_is_asked_for ? ", as it asked for, after: " : " after: ", road.rests_after);
    run.say(road.name, text);
    waiting += cat(waiting.empty() ? "" : "; ", road.name, " ", text);
  }
  if (std::ranges::any_of(roads, [](const Road& road) { return road.rests.count() == 0; })) {
    std::erase_if(roads, [](const Road& road) { return road.rests.count() > 0; });
  } else {
    if (!run.is_ordered) std::erase_if(roads, [](const Road& road) { return road.rest_is_asked_for; });
    if (roads.empty()) return fail(Code::busy, cat("every source wants to be left alone: ", waiting));
    run.say("", "every source rests: they are tried all the same");
  }
  return {};
}

std::pair<int, std::ptrdiff_t> Mirror::importance_of(const ComponentVariant& wish) const {
  const auto& by = wishes_.at(wish);
  return {by.front() == kOfSettings ? 0 : by.front() == kOfAgent ? 1 : 2, -static_cast<std::ptrdiff_t>(by.size())};
}

// What a point that is followed is told. It takes no more of one asker; names that a device made up must not push out what others need, or what is served.
std::vector<ComponentVariant> Mirror::most_wanted() const {
  std::vector<ComponentVariant> out;
  for (const auto& [wish, by] : wishes_) out.push_back(wish);
  std::ranges::stable_sort(out, {}, [this](const ComponentVariant& wish) {
    const auto [whose, askers] = importance_of(wish);
    return std::tuple(whose, !served_.contains(wish), askers);
  });
  if (out.size() <= kMostWants) return out;
  parts_.log(cat(std::to_string(out.size()), " components and variants are wanted here: points that this one follows are told of the ", std::to_string(kMostWants), " that most want"));
  out.resize(kMostWants);
  return out;
}

Result<> Mirror::check(Run& run) {
  PICKET_TRY(choose_roads(run));
  const auto wanted = most_wanted();
  run.fetcher = std::make_unique<Fetcher>(parts_.upstream, run.cancelled, self_);
  trust::ClientOptions options;
  options.metadata_dir = parts_.store.trusted_folder();
  options.high_water_file = parts_.store.highest_file();
  options.pinned_root = run.roads.initial_root;
  options.now = parts_.now;
  options.event = [this](std::string_view what) { parts_.log(what); };
  PICKET_LET(client, trust::Client::open(std::move(options), *run.fetcher));
  run.client = std::move(client);
  std::string failures;
  for (std::size_t i = 0; i < run.roads.roads.size(); ++i) {
    const auto& road = run.roads.roads[i];
    run.fetcher->road = &road;
    run.fetcher->chain.clear();
    run.fetcher->refused.clear();
    run.tell("check", "", cat("asking source ", road.name));
    // Wishes that came back to who had them would never end.
    parts_.upstream.wants(lead_back_.contains(road.name) ? std::vector<ComponentVariant>() : wanted);
    auto done = run.client->refresh();
    if (!run.fetcher->refused.empty()) lead_back_.insert(road.name);
    else if (done) lead_back_.erase(road.name);
    if (done) {
      run.result.set_source(road.name);
      run.follows = std::move(run.fetcher->chain);
      run.say(road.name, "taken: the first source whose metadata are good");
      for (std::size_t later = i + 1; later < run.roads.roads.size(); ++later)
        run.say(run.roads.roads[later].name, cat("not asked: ", road.name, " comes before it and works; stands by for single files"));
      parts_.upstream.report(road, nullptr);
      std::rotate(run.roads.roads.begin(), run.roads.roads.begin() + static_cast<std::ptrdiff_t>(i), run.roads.roads.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      run.fetcher->road = &run.roads.roads.front();
      if (!run.client->versions().consistent_snapshot)
        return fail(Code::invalid, cat(run.result.source(), " offers a repository without consistent snapshots: it could not be exchanged in one step"));
      // Any server may call itself a point, and could so keep releases away: the settings say who is believed.
      if (run.roads.roads.front().may_hold_back) take_held_back(run);
      return {};
    }
    parts_.log(cat("source ", road.name, ": ", done.error().message));
    if (run.cancelled || done.error().code == Code::cancelled) return fail(Code::cancelled, "cancelled");
    if (done.error().code == Code::no_space) return fail(std::move(done).error());
    // What it serves is whole and valid, and nothing new would ever come. For the agent here it is a source as good as any: it does not rest.
    if (const auto& why = run.fetcher->refused; !why.empty()) {
      run.say(road.name, cat("passed over: ", why));
      failures += cat(failures.empty() ? "" : "; ", road.name, ": ", why);
      if (!run.follows) run.follows = followed_by(self_, std::move(run.fetcher->chain));
      continue;
    }
    run.say(road.name, cat("failed: ", done.error().message));
    if (done.error().code == Code::conflict && done.error().message.find("clock") != std::string::npos) return fail(std::move(done).error());  // this computer's
    parts_.upstream.report(road, &done.error());
    failures += cat(failures.empty() ? "" : "; ", road.name, ": ", done.error().message);
  }
  // Whoever comes round to this point must see itself, too: it may know a way out, and its id is another one since it was started again.
  if (run.follows) follow(std::move(*run.follows));
  return fail(Code::unavailable, cat("no source worked: ", failures));
}

void Mirror::take_held_back(Run& run) {
  const auto bytes = run.fetcher->fetch_metadata(trust::kHeldBackFile, trust::kMostHeldBack);
  if (!bytes && bytes.error().code == Code::not_found) return;  // most hold nothing back
  const auto held = bytes ? trust::parse_held_back(*bytes) : Result<trust::HeldBack>(fail(bytes.error()));
  if (!held) return run.say(run.result.source(), cat("what it holds back cannot be read: ", held.error().message));
  for (const auto& [component, releases] : *held)
    for (const auto release : releases) run.roads.declined.push_back({component, static_cast<std::uint64_t>(release)});
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

void Mirror::clean(std::chrono::seconds grace) {
  const auto now = parts_.now();
  const auto earlier = parts_.store.earlier();
  std::erase_if(retired_, [&](const auto& entry) { return std::ranges::find(earlier, entry.first) == earlier.end(); });
  std::vector<std::uint64_t> doomed;
  for (const auto set : earlier) {
    const auto since = retired_.emplace(set, now).first;
    if (since->second > now) since->second = now;  // the clock was set back
    if (now - since->second >= grace.count()) doomed.push_back(set);
  }
  if (doomed.empty()) return;
  // Nobody is sent there any more before it goes. Who reads one of its files has it open.
  auto catalogue = Catalogue::load(parts_.store.set_folder(parts_.store.published()));
  if (!catalogue) return parts_.log(cat("the published set cannot be read: ", catalogue.error().message));
  for (const auto set : earlier)
    if (std::ranges::find(doomed, set) == doomed.end())
      if (auto old = Catalogue::load(parts_.store.set_folder(set))) catalogue->add_missing(*old);
  withdraw(*catalogue, parts_.store.published());
  serve(std::move(*catalogue));
  for (const auto set : doomed)
    if (auto removed = parts_.store.remove_set(set); !removed) parts_.log(removed.error().message);
}

}  // namespace distribution_point
