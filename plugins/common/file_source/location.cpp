#include "file_source/location.hpp"

#include <climits>
#include <optional>

namespace file_source {
namespace {

std::optional<unsigned> hex_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  return std::nullopt;
}

// nullopt: a '%' without two hex digits after it.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const auto high = hex_value(text[i + 1]);
    const auto low = hex_value(text[i + 2]);
    if (!high || !low) return std::nullopt;
    out += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return out;
}

}  // namespace

Outcome<std::string> base_folder(std::string_view location) {
  const auto bad = [&](std::string_view why) {
    return failed(PICKET_E_INVALID, "location '" + std::string(location.substr(0, 200)) + "' " + std::string(why));
  };
  std::string path(location);
  constexpr std::string_view scheme = "file://";
  if (location.substr(0, scheme.size()) == scheme) {
    std::string_view rest = location.substr(scheme.size());
    constexpr std::string_view local = "localhost/";
    if (rest.substr(0, local.size()) == local) rest.remove_prefix(local.size() - 1);
    if (rest.empty() || rest.front() != '/') return bad("names another computer: mount the share and give its folder");
    auto decoded = percent_decoded(rest);
    if (!decoded) return bad("has a '%' that is not followed by two hexadecimal digits");
    path = std::move(*decoded);
  }
  if (path.empty()) return bad("is empty: give an absolute folder");
  if (path.front() != '/') return bad("is not an absolute folder or a file:// URL");
  if (path.find('\0') != std::string::npos) return bad("contains a NUL byte");
  if (path.size() >= PATH_MAX) return bad("is too long");
  return path;
}

Outcome<std::vector<std::string>> path_parts(std::string_view path) {
  const auto bad = [&](std::string_view why) {
    return failed(PICKET_E_INVALID, "path '" + std::string(path.substr(0, 200)) + "' " + std::string(why));
  };
  if (path.empty()) return bad("is empty");
  if (path.size() >= PATH_MAX) return bad("is too long");
  std::vector<std::string> parts;
  while (true) {
    const std::size_t slash = path.find('/');
    auto part = percent_decoded(path.substr(0, slash));
    if (!part) return bad("has a '%' that is not followed by two hexadecimal digits");
    if (part->empty()) return bad("has an empty part");
    if (*part == "." || *part == "..") return bad("has a part '" + *part + "'");
    if (part->find_first_of(std::string_view("/\0", 2)) != std::string::npos) return bad("hides a '/' or NUL in a part");
    if (part->size() > NAME_MAX) return bad("has a part that is too long");
    parts.push_back(std::move(*part));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace file_source
