#include "update/road.hpp"

#include <algorithm>

#include "base/progress.hpp"
#include "delta/delta.hpp"

namespace picket::update {
namespace {

using trust::Delta;
using trust::Release;

const Release* made_by(const RoadQuestion& question, const Delta& delta) {
  const auto found = std::ranges::find_if(question.releases, [&](const auto& each) { return each.release == delta.release && each.variant == delta.variant; });
  return found == question.releases.end() ? nullptr : &*found;
}

std::uint64_t bytes_of(const std::vector<Road::Link>& links) {
  std::uint64_t sum = 0;
  for (const auto& link : links) sum += link.delta->length;
  return sum;
}

// The fewest bytes from the base with at most `links` deltas: after round k each place holds the best way of at most k.
std::vector<Road::Link> best_chain(const RoadQuestion& question) {
  struct Place {
    std::string sha256;
    std::vector<Road::Link> way;
  };
  std::vector<Place> places{{question.base_sha256, {}}};
  for (std::size_t round = 0; round < question.max_links; ++round) {
    const auto before = places;
    for (const auto& delta : question.deltas) {
      if (delta.variant != question.wanted.variant || !delta::method_of(delta.method)) continue;
      const auto* makes = made_by(question, delta);
      if (makes == nullptr || makes->format != question.wanted.format || makes->release > question.wanted.release) continue;
      const auto from = std::ranges::find_if(before, [&](const auto& place) { return place.sha256 == delta.base_sha256; });
      if (from == before.end()) continue;
      auto way = from->way;
      way.push_back({&delta, makes});
      const auto to = std::ranges::find_if(places, [&](const auto& place) { return place.sha256 == makes->content_sha256; });
      if (to == places.end()) places.push_back({makes->content_sha256, std::move(way)});
      else if (!to->way.empty() && bytes_of(way) < bytes_of(to->way)) to->way = std::move(way);
    }
  }
  for (auto& place : places)
    if (place.sha256 == question.wanted.content_sha256) return std::move(place.way);
  return {};
}

}  // namespace

Road choose_road(const RoadQuestion& question) {
  Road road;
  const auto full = question.wanted.length - std::min(question.arrived, question.wanted.length);
  road.bytes = full;
  const auto full_text = cat("the full file, ", human_bytes(full), full < question.wanted.length ? " of it still to come" : "");
  const auto number = std::to_string(question.wanted.release);
  auto take_full = [&](std::string_view why) {
    road.why = cat(full_text, ": ", why);
    return road;
  };
  if (question.base_sha256.empty()) return take_full("no whole set is here to start a delta from");
  if (!question.allowed) return take_full("deltas are off in the settings");
  if (question.avoided == static_cast<std::uint64_t>(question.wanted.release)) return take_full(cat("a delta to release ", number, " failed before"));
  if (question.base_sha256 == question.wanted.content_sha256) {
    road.is_same = true;
    road.bytes = 0;
    road.why = "nothing to fetch: the content is that of the set in force";
    return road;
  }
  const auto chain = best_chain(question);
  if (chain.empty()) return take_full("no delta leads from what is in force to it");
  const auto bytes = bytes_of(chain);
  if (bytes >= full) return take_full(cat("deltas would be ", human_bytes(bytes)));
  road.links = chain;
  road.bytes = bytes;
  const auto from = std::to_string(chain.front().delta->base);
  road.why = cat(chain.size() == 1 ? cat("the delta from release ", from, " (", chain.front().delta->method, ")") : cat("a chain of ", std::to_string(chain.size()), " deltas from release ", from),
                 ", ", human_bytes(bytes), ", instead of ", human_bytes(full));
  return road;
}

}  // namespace picket::update
