#include "update/one_message.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace picket::update {
namespace {

// Of the 128 KiB of the bus: a status holds a run and the sources, too.
constexpr std::size_t kMostOfPage = 120'000, kMostOfRun = 40'000, kAround = 8;

}  // namespace

v1::StatusReply page_of(v1::StatusReply whole, const std::string& after) {
  google::protobuf::RepeatedPtrField<v1::ComponentStatus> components;
  components.Swap(whole.mutable_components());
  v1::StatusReply out;
  if (after.empty()) out = std::move(whole);
  auto bytes = out.ByteSizeLong();
  for (auto& component : components) {
    if (component.component() <= after) continue;
    bytes += component.ByteSizeLong() + kAround;
    if (bytes > kMostOfPage && !out.components().empty()) {
      out.set_more(true);
      break;
    }
    *out.add_components() = std::move(component);
  }
  return out;
}

v1::SourcesReply page_of(v1::SourcesReply whole, const v1::SourcesRequest& question) {
  using Name = std::pair<std::string, std::uint64_t>;
  std::map<Name, v1::SourcesReply> releases;
  for (const auto& one : whole.declined()) *releases[{one.component(), one.release()}].add_declined() = one;
  for (const auto& one : whole.held()) *releases[{one.component(), one.release()}].add_held() = one;
  whole.clear_declined();
  whole.clear_held();
  const auto& after = question.after();
  auto at = question.has_after() ? releases.upper_bound({after.component(), after.release()}) : releases.begin();
  auto out = question.has_after() ? v1::SourcesReply() : std::move(whole);
  auto bytes = out.ByteSizeLong();
  for (const auto first = at; at != releases.end(); ++at) {
    bytes += at->second.ByteSizeLong();
    if (bytes > kMostOfPage && at != first) {
      const auto& last = std::prev(at)->first;
      out.mutable_next()->set_component(last.first);
      out.mutable_next()->set_release(last.second);
      break;
    }
    out.MergeFrom(at->second);
  }
  return out;
}

v1::RunResult in_one_message(v1::RunResult result) {
  auto bytes = result.ByteSizeLong();
  if (bytes <= kMostOfRun) return result;
  std::map<std::string, std::vector<int>> places;   // by result
  for (int i = 0; i < result.components_size(); ++i) places[result.components(i).result()].push_back(i);
  std::set<int> gone;
  while (bytes > kMostOfRun && !places.empty()) {
    const auto most = std::ranges::max_element(places, {}, [](const auto& entry) { return entry.second.size(); });
    if (most->second.size() <= 1) break;
    bytes -= result.components(most->second.back()).ByteSizeLong();
    gone.insert(most->second.back());
    most->second.pop_back();
  }
  google::protobuf::RepeatedPtrField<v1::ComponentResult> components;
  components.Swap(result.mutable_components());
  for (int i = 0; i < components.size(); ++i)
    if (!gone.contains(i)) *result.add_components() = std::move(components[i]);
  result.set_unnamed(result.unnamed() + static_cast<std::uint32_t>(gone.size()));
  return result;
}

}  // namespace picket::update
