#include <algorithm>
#include <array>
#include <charconv>

#include "package/manifest.hpp"

namespace picket::package {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The next part before `separator`; `rest` loses it. A text that ends in the separator yields a last empty part, which no rule accepts.
std::string_view take(std::string_view& rest, char separator, bool& more) {
  const auto at = rest.find(separator);
  const auto part = rest.substr(0, at);
  more = at != std::string_view::npos;
  rest.remove_prefix(more ? at + 1 : rest.size());
  return part;
}

bool is_number(std::string_view part) {
  return !part.empty() && part.size() <= 9 && std::all_of(part.begin(), part.end(), is_digit) && (part.size() == 1 || part[0] != '0');
}

bool is_name_part(std::string_view part) {
  return !part.empty() && part.front() != '-' && part.back() != '-' &&
         std::all_of(part.begin(), part.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-'; });
}

// Prerelease identifiers: numbers compare as numbers and come before words.
std::strong_ordering compare_part(std::string_view left, std::string_view right) {
  const bool left_number = is_number(left), right_number = is_number(right);
  if (left_number && right_number) {
    if (left.size() != right.size()) return left.size() <=> right.size();
    return left.compare(right) <=> 0;
  }
  if (left_number != right_number) return left_number ? std::strong_ordering::less : std::strong_ordering::greater;
  return left.compare(right) <=> 0;
}

}  // namespace

bool is_plugin_id(std::string_view id) {
  if (id.size() > 100) return false;
  unsigned parts = 0;
  for (bool more = true; more; ++parts)
    if (!is_name_part(take(id, '.', more))) return false;
  return parts >= 2;
}

bool is_version(std::string_view version) {
  if (version.size() > 64) return false;
  const auto dash = version.find('-');
  auto core = version.substr(0, dash);
  bool more = true;
  for (int i = 0; i < 3; ++i)
    if (!more || !is_number(take(core, '.', more))) return false;
  if (more) return false;
  if (dash == std::string_view::npos) return true;
  auto rest = version.substr(dash + 1);
  for (more = true; more;) {
    const auto part = take(rest, '.', more);
    const bool fits = std::all_of(part.begin(), part.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-'; });
    if (part.empty() || !fits) return false;
    if (std::all_of(part.begin(), part.end(), is_digit) && !is_number(part)) return false;
  }
  return true;
}

std::strong_ordering compare_versions(std::string_view left, std::string_view right) {
  const auto left_dash = left.find('-'), right_dash = right.find('-');
  auto a = left.substr(0, left_dash), b = right.substr(0, right_dash);
  bool more_a = true, more_b = true;
  while (more_a && more_b)
    if (const auto order = compare_part(take(a, '.', more_a), take(b, '.', more_b)); order != 0) return order;
  const bool final_a = left_dash == std::string_view::npos, final_b = right_dash == std::string_view::npos;
  if (final_a || final_b) return final_a <=> final_b;  // a release comes after its prereleases
  a = left.substr(left_dash + 1), b = right.substr(right_dash + 1);
  for (more_a = more_b = true; more_a && more_b;)
    if (const auto order = compare_part(take(a, '.', more_a), take(b, '.', more_b)); order != 0) return order;
  return more_a <=> more_b;
}

}  // namespace picket::package
