// What a source holds back on purpose: a distribution point, of releases that its administrator declined or that its agent has not verified yet. It stands
// beside the signed metadata, as metadata/held.json, on every road that a point's repository is carried by, and is not signed: it is believed only as
// the reason why a file is not there that is signed for.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace picket::trust {

inline constexpr std::string_view kHeldBackFile = "held.json";
inline constexpr std::uint64_t kMostHeldBack = 1u << 20;   // bytes

using HeldBack = std::map<std::string, std::set<std::int64_t>, std::less<>>;   // component -> releases

// {"held":{"yara-rules":[7,8]}}
[[nodiscard]] std::string write_held_back(const HeldBack& held);
[[nodiscard]] Result<HeldBack> parse_held_back(std::string_view text);

[[nodiscard]] inline bool holds_back(const HeldBack& held, std::string_view component, std::int64_t release) {
  const auto found = held.find(component);
  return found != held.end() && found->second.contains(release);
}

}  // namespace picket::trust
