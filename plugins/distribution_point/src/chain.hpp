// Which points a published set came through: who answers, whom that one follows, and so on to one that asks no point. Told with what every check asks
// for, as proxies of HTTP do it with Via, so that points that name each other as sources find out, however many lie between them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace distribution_point {

struct PointName {
  std::string id;      // in hex, random and of this process: a folder may be a copy, and a name given twice
  std::string name;    // for people; plain ASCII once it came from a header
  bool operator==(const PointName&) const = default;
};
using Chain = std::vector<PointName>;

constexpr std::size_t kMostChain = 16;

// "0123abcd office, 4567cdef warehouse"
[[nodiscard]] std::string to_header(const Chain& chain);
// Bytes from anybody. Empty: whoever answered is no point, or does not say so well.
[[nodiscard]] Chain parse_chain(std::string_view header);
// Why `self` must not follow who answered with this chain: what they serve each other stays whole and valid, and nothing new would ever come. Empty: it may.
[[nodiscard]] std::string why_not_follow(const PointName& self, const Chain& chain);
// What `self` tells of a source: its chain, up to where it comes back to `self`.
[[nodiscard]] Chain followed_by(const PointName& self, Chain chain);

}  // namespace distribution_point
