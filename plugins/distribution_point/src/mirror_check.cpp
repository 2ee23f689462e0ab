// Which roads are asked, and which of them works: the first whose metadata are good.
#include <algorithm>
#include <tuple>
#include <utility>

#include "announcement.hpp"
#include "base/bytes.hpp"
#include "base/progress.hpp"
#include "mirror_run.hpp"

namespace distribution_point {

namespace {
constexpr std::string_view kOfPoints = "org.picket.source-distribution-point";
}

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

}  // namespace distribution_point
