#include "chain.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace distribution_point {
namespace {

using picket::cat;

constexpr std::size_t kMostId = 64, kMostName = 64;

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= kMostId && std::ranges::all_of(text, [](char c) { return picket::hex_digit(c) >= 0; });
}

// One '?' for each character that a header or a message of others had better not hold.
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (out.size() == kMostName) break;
    if ((byte & 0xC0) != 0x80) out.push_back(byte < 0x20 || byte > 0x7e || c == ',' ? '?' : c);
  }
  return out;
}

const std::string& shown(const PointName& point) { return point.name.empty() ? point.id : point.name; }

}  // namespace

std::string to_header(const Chain& chain) {
  std::string out;
  for (const auto& point : chain) out += cat(out.empty() ? "" : ", ", point.id, point.name.empty() ? "" : " ", plain(point.name));
  return out;
}

Chain parse_chain(std::string_view header) {
  Chain out;
  while (!header.empty() && out.size() <= kMostChain) {   // one more than allowed says that it is too long
    auto one = header.substr(0, header.find(','));
    header.remove_prefix(std::min(header.size(), one.size() + 1));
    while (one.starts_with(' ')) one.remove_prefix(1);
    const auto id = one.substr(0, one.find(' '));
    if (!is_id(id)) return {};
    out.push_back({std::string(id), plain(one.substr(std::min(one.size(), id.size() + 1)))});
  }
  return out;
}

std::string why_not_follow(const PointName& self, const Chain& chain) {
  const auto met = std::ranges::find(chain, self.id, &PointName::id);
  if (met == chain.end()) return chain.size() < kMostChain ? "" : cat("it follows a chain of ", std::to_string(kMostChain), " distribution points or more");
  if (met == chain.begin()) return "it leads to this point itself";
  std::string text = cat("the points follow each other: ", shown(self));
  for (auto point = chain.begin(); point != met; ++point) text += cat(" follows ", shown(*point), ", ", shown(*point));
  return cat(text, " follows ", shown(self));
}

Chain followed_by(const PointName& self, Chain chain) {
  chain.erase(std::ranges::find(chain, self.id, &PointName::id), chain.end());
  if (chain.size() >= kMostChain) chain.resize(kMostChain - 1);
  return chain;
}

}  // namespace distribution_point
