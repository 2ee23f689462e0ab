// Which paths a delegation covers, and how names of roles and targets become names of files.
#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "trust/metadata.hpp"

namespace picket::trust {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// One part of a path against one part of a pattern. Linear in practice, never worse than the product of their lengths.
bool part_matches(std::string_view pattern, std::string_view part) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < part.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == '?') {  // one code point
      do ++t;
      while (t < part.size() && is_continuation(part[t]));
      ++p;
    } else if (p < pattern.size() && pattern[p] == part[t]) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      do ++resume;
      while (resume < part.size() && is_continuation(part[resume]));
      t = resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool path_matches(std::string_view pattern, std::string_view path) {
  for (;;) {
    const auto pattern_end = pattern.find('/'), path_end = path.find('/');
    if ((pattern_end == std::string_view::npos) != (path_end == std::string_view::npos)) return false;
    if (!part_matches(pattern.substr(0, pattern_end), path.substr(0, path_end))) return false;
    if (path_end == std::string_view::npos) return true;
    pattern.remove_prefix(pattern_end + 1);
    path.remove_prefix(path_end + 1);
  }
}

unsigned hex_width(unsigned bit_length) { return (bit_length + 3) / 4; }

}  // namespace

bool DelegatedRole::matches(std::string_view target_path) const {
  if (!path_hash_prefixes.empty()) {
    const auto hash = sha256_hex(target_path);
    for (const auto& prefix : path_hash_prefixes)
      if (std::string_view(hash).substr(0, prefix.size()) == prefix) return true;
  }
  for (const auto& pattern : paths)
    if (path_matches(pattern, target_path)) return true;
  return false;
}

std::string SuccinctRoles::bin_of(std::string_view target_path) const {
  const auto hash = sha256_hex(target_path).substr(0, 8);
  const auto number = std::stoul(hash, nullptr, 16) >> (32 - bit_length);
  static constexpr char digits[] = "0123456789abcdef";
  std::string bin(hex_width(bit_length), '0');
  for (std::size_t i = 0; i < bin.size(); ++i) bin[bin.size() - 1 - i] = digits[number >> (4 * i) & 15];
  return cat(name_prefix, "-", bin);
}

bool SuccinctRoles::is_bin(std::string_view role) const {
  if (role.size() != name_prefix.size() + 1 + hex_width(bit_length) || !role.starts_with(name_prefix) || role[name_prefix.size()] != '-') return false;
  const auto digits = role.substr(name_prefix.size() + 1);
  if (digits.find_first_not_of("0123456789abcdef") != std::string_view::npos) return false;
  return std::stoul(std::string(digits), nullptr, 16) >> bit_length == 0;
}

Result<> check_target_path(std::string_view path) {
  const auto bad = [&](std::string_view why) {
    std::string shown;
    for (const char c : path.substr(0, 200)) shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    return fail(Code::invalid, cat("target path '", shown, "' ", why));
  };
  if (path.empty()) return bad("is empty");
  if (!is_valid_utf8(path)) return fail(Code::invalid, "a target path is not valid UTF-8");
  if (path.front() == '/') return bad("begins with '/'");
  for (const char c : path) {
    if (c == '\\') return bad("has a backslash");
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return bad("has a control character");
  }
  for (std::string_view rest = path;;) {
    const auto end = rest.find('/');
    const auto part = rest.substr(0, end);
    if (part.empty()) return bad("has an empty part");
    if (part == "." || part == "..") return bad("has a part '.' or '..'");
    if (end == std::string_view::npos) return {};
    rest.remove_prefix(end + 1);
  }
}

std::string encode_role(std::string_view role) {
  if (role == ".") return "%2E";
  if (role == "..") return "%2E%2E";
  return percent_encoded(role);
}

std::string decode_role(std::string_view file_name) {
  std::string out;
  for (std::size_t i = 0; i < file_name.size(); ++i) {
    if (file_name[i] == '%' && i + 2 < file_name.size()) {
      if (const auto byte = from_hex(file_name.substr(i + 1, 2))) {
        out += *byte;
        i += 2;
        continue;
      }
    }
    out += file_name[i];
  }
  return out;
}

std::string consistent_target_path(std::string_view path, std::string_view hash) {
  const auto slash = path.rfind('/');
  const auto folder = slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash + 1);
  return cat(folder, hash, ".", path.substr(folder.size()));
}

}  // namespace picket::trust
