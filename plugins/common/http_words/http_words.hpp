// The words of an HTTP head, as RFC 9110 writes them.
#pragma once

#include <cstddef>
#include <string_view>

namespace http_words {

// Of methods and of the names of headers.
[[nodiscard]] inline bool is_token_byte(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
}

// `lower` in either case.
[[nodiscard]] inline bool is_word(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) != lower[i]) return false;
  }
  return true;
}

[[nodiscard]] inline std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Whether a list with commas has this element.
[[nodiscard]] inline bool has_element(std::string_view list, std::string_view lower) {
  for (;;) {
    const auto comma = list.find(',');
    if (is_word(trimmed(list.substr(0, comma)), lower)) return true;
    if (comma == list.npos) return false;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace http_words
