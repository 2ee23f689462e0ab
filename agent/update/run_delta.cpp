// A release by deltas: base checked, then the deltas fetched, then applied into the same staging as a full download. One try; then the full file.
#include "base/files.hpp"
#include "base/progress.hpp"
#include "update/delta_source.hpp"
#include "update/run.hpp"
#include "update/stage.hpp"

namespace picket::update {

Road Run::road_of(const trust::Release& release, const Catalogue::Offer& offer, const Wanted& full) const {
  const auto& record = shop_.ledger.record(release.component);
  if (const auto twin = shop_.sets.with_content(release.content_sha256); twin && record.avoided_delta != static_cast<std::uint64_t>(release.release)) {
    const bool is_own = twin->component == release.component;
    return {{}, true, shop_.sets.path_of(twin->component, twin->name()), 0,
            cat("nothing to fetch: the content is that of ", is_own ? "" : twin->component, is_own ? "" : " ", "release ", std::to_string(twin->release), ", which is here")};
  }
  const auto active = shop_.sets.info(release.component, record.in_force);
  return choose_road({release, offer.releases, offer.deltas, active ? active->content_sha256 : std::string(), shop_.downloads.have(full),
                      settings_.deltas, settings_.delta_chain, record.avoided_delta});
}

Result<std::filesystem::path> Run::fetch_delta(const trust::Delta& delta, const Wanted& wanted, const Readers& readers) {
  tell("fetch", delta.component, cat("delta from release ", std::to_string(delta.base), ", ", human_bytes(wanted.length)), 0, wanted.length);
  if (auto earlier = brought_earlier(delta.component, wanted)) return std::move(*earlier);
  return bring(delta.component, wanted, std::nullopt, readers);
}

std::optional<SetInfo> Run::install_by_deltas(const trust::Release& release, const Catalogue::Offer& offer, const Wanted& full) {
  const auto& component = release.component;
  const auto road = road_of(release, offer, full);
  shop_.explain.say({.component = component}, cat("road: ", road.why));
  if (road.links.empty() && !road.is_same) return std::nullopt;
  auto info = apply_road(release, road, road.set.empty() ? shop_.sets.path_of(component, shop_.ledger.record(component).in_force) : road.set);
  if (info) {
    shop_.explain.say({.component = component}, cat("made of ", road.is_same ? "what is here" : cat(human_bytes(road.bytes), " of deltas"), " and verified as a whole: ", human_bytes(release.length), " not fetched"));
    return std::move(*info);
  }
  const auto& failure = info.error();
  if (failure.error.code == Code::cancelled) return std::nullopt;
  shop_.explain.say({.component = component}, cat("by deltas it failed: ", failure.error.message, "; the full file is fetched",
                                                  failure.is_final ? ", and no delta to this release is tried again" : ""));
  if (!failure.is_final) return std::nullopt;
  if (auto noted = shop_.ledger.avoid_delta(component, static_cast<std::uint64_t>(release.release)); !noted) shop_.explain.say({.component = component}, noted.error().message);
  for (const auto& link : road.links) (void)shop_.downloads.remove(catalogue_->wanted(*link.delta));
  return std::nullopt;
}

tl::expected<SetInfo, Run::DeltaFailure> Run::apply_road(const trust::Release& release, const Road& road, const std::filesystem::path& set) {
  const auto& component = release.component;
  const auto scratch = shop_.options.data_dir / "staging";
  const auto transient = [](Error error) { return tl::unexpected<DeltaFailure>({std::move(error), false}); };
  // A full disk or an order to stop is nobody's fault; all else that goes wrong here would go wrong again.
  const auto final = [](Error error) {
    const bool ours = error.code == Code::no_space || error.code == Code::cancelled || error.code == Code::io;
    return tl::unexpected<DeltaFailure>({std::move(error), !ours});
  };
  tell("base", component, "reading what the delta starts from");
  auto base = content_of_set(set, release.format, road.is_same ? release.content_sha256 : road.links.front().delta->base_sha256, scratch, shop_.steps, cancel_);
  if (!base) return final(std::move(base).error());

  std::vector<std::filesystem::path> files;
  for (const auto& link : road.links) wanted_keys_.insert(catalogue_->wanted(*link.delta).key());
  for (const auto& link : road.links) {
    const auto wanted = catalogue_->wanted(*link.delta);
    auto ahead = brought_ahead(wanted);
    auto file = ahead ? std::move(*ahead) : fetch_delta(*link.delta, wanted, readers_);
    // A source that cannot give it now may do so later; one that has another file there is not asked for it again.
    if (!file) return file.error().code == Code::untrusted ? final(std::move(file).error()) : transient(std::move(file).error());
    files.push_back(std::move(*file));
  }
  const auto put_in_place = [&](ContentStream& stream) -> tl::expected<SetInfo, DeltaFailure> {
    tell("stage", component, "");
    auto info = stage(release, stream, shop_.sets, shop_.steps, cancel_);
    if (!info) return final(std::move(info).error());
    if (auto adopted = adopt(*info); !adopted) return transient(std::move(adopted).error());
    for (const auto& link : road.links)
      if (auto gone = shop_.downloads.remove(catalogue_->wanted(*link.delta)); !gone) shop_.explain.say({.component = component}, gone.error().message);
    return std::move(*info);
  };
  auto content = std::move(*base);
  if (road.is_same) {
    MappedStream stream(content.bytes());
    return put_in_place(stream);
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& makes = *road.links[i].makes;
    tell("apply", component, cat("delta to release ", std::to_string(makes.release)));
    shop_.steps("delta.apply");
    auto delta = read_file(files[i], settings_.delta_memory);
    if (!delta) return final(std::move(delta).error());
    auto stream = PatchStream::open(content.bytes(), *delta, makes.content_length, settings_.delta_memory);
    if (!stream) return final(std::move(stream).error());
    if (i + 1 < files.size()) {
      auto next = keep(**stream, makes, scratch, shop_.steps, cancel_);
      if (!next) return final(std::move(next).error());
      stream->reset();
      content = std::move(*next);
      continue;
    }
    return put_in_place(**stream);
  }
  return transient(Error{Code::internal, "a road without deltas"});
}

}  // namespace picket::update
