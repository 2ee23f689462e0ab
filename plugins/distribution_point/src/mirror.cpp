#include "mirror.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "base/bytes.hpp"
#include "base/progress.hpp"
#include "mirror_run.hpp"

namespace distribution_point {

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
