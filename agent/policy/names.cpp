#include "policy/names.hpp"

#include <algorithm>

namespace picket::policy {
namespace {

constexpr std::size_t max_name = 1024, max_parts = 32;

Result<std::string> unescape_pointer_part(std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '~') {
      out += part[i];
      continue;
    }
    if (++i == part.size() || (part[i] != '0' && part[i] != '1')) return fail(Code::invalid, "'~' must be followed by 0 or 1");
    out += part[i] == '0' ? '~' : '/';
  }
  return out;
}

}  // namespace

Result<Path> parse_name(std::string_view name) {
  Path path;
  if (name.empty()) return path;
  const auto bad = [&](std::string_view why) { return fail(Code::invalid, cat("'", name.substr(0, 128), "' is not the name of a setting: ", why)); };
  if (name.size() > max_name) return bad("longer than 1024 bytes");
  const bool pointer = name.front() == '/';
  const char separator = pointer ? '/' : '.';
  for (std::string_view rest = pointer ? name.substr(1) : name;;) {
    const auto end = rest.find(separator);
    const auto part = rest.substr(0, end);
    if (part.empty() && !pointer) return bad("an empty part");
    if (path.size() == max_parts) return bad("more than 32 parts");
    auto plain = pointer ? unescape_pointer_part(part) : Result<std::string>(std::string(part));
    if (!plain) return bad(plain.error().message);
    path.push_back(std::move(*plain));
    if (end == rest.npos) return path;
    rest.remove_prefix(end + 1);
  }
}

std::string format_name(const Path& path) {
  const bool dotted = std::ranges::none_of(path, [](const auto& part) { return part.empty() || part.find('.') != part.npos || part.front() == '/'; });
  std::string out;
  for (const auto& part : path) {
    if (dotted) {
      if (!out.empty()) out += '.';
      out += part;
      continue;
    }
    out += '/';
    for (const char c : part) {
      if (c == '~') out += "~0";
      else if (c == '/') out += "~1";
      else out += c;
    }
  }
  return out;
}

}  // namespace picket::policy
