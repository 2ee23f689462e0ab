#include "base/bytes.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <sys/random.h>

namespace picket {
namespace {
constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_digit(char c) {
  if (c == '-') return 62;
  if (c == '_') return 63;
  const auto at = kBase64.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}
}  // namespace

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string to_hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    out.push_back(kHex[b >> 4]);
    out.push_back(kHex[b & 15]);
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string out;
  out.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_digit(hex[i]);
    const int low = hex_digit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high * 16 + low));
  }
  return out;
}

std::string percent_encoded(std::string_view text, std::string_view plain) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool is_unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    const auto byte = static_cast<unsigned char>(c);
    if (is_unreserved || plain.find(c) != std::string_view::npos) out.push_back(c);
    else out.append({'%', digits[byte >> 4], digits[byte & 15]});
  }
  return out;
}

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t block = 0;
    for (std::size_t k = 0; k < 3; ++k)
      block = (block << 8) | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      out.push_back(i + k > bytes.size() ? '=' : kBase64[(block >> (18 - 6 * k)) & 63]);
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const std::size_t pad = !last ? 0 : text[i + 2] == '=' ? 2 : text[i + 3] == '=' ? 1 : 0;
    if (pad == 2 && text[i + 3] != '=') return std::nullopt;
    std::uint32_t block = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const int digit = k >= 4 - pad ? 0 : base64_digit(text[i + k]);
      if (digit < 0) return std::nullopt;
      block = (block << 6) | static_cast<std::uint32_t>(digit);
    }
    if ((pad == 1 && (block & 0xff) != 0) || (pad == 2 && (block & 0xffff) != 0)) return std::nullopt;
    for (std::size_t k = 0; k < 3 - pad; ++k) out.push_back(static_cast<char>((block >> (16 - 8 * k)) & 0xff));
  }
  return out;
}

bool is_valid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    std::uint64_t eight = 0;
    while (text.size() - i >= sizeof eight && (std::memcpy(&eight, text.data() + i, sizeof eight), (eight & 0x8080808080808080) == 0)) i += sizeof eight;
    if (i == text.size()) return true;
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || i + length > text.size()) return false;
    const auto second = static_cast<unsigned char>(text[i + 1]);
    const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return false;
    for (std::size_t k = 2; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    i += length;
  }
  return true;
}

std::string_view whole_characters(std::string_view utf8, std::size_t most) {
  if (utf8.size() <= most) return utf8;
  while (most > 0 && (static_cast<unsigned char>(utf8[most]) & 0xc0) == 0x80) --most;
  return utf8.substr(0, most);
}

std::string shortened(std::string_view utf8, std::size_t most) {
  std::string out(whole_characters(utf8, most));
  if (out.size() < utf8.size()) out += "...";
  return out;
}

std::string as_utf8(std::string_view text) {
  std::string out(text);
  if (!is_valid_utf8(text)) std::ranges::replace_if(out, [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; }, '?');
  return out;
}

std::string plain_line(std::string_view text, std::size_t most) {
  auto out = as_utf8(whole_characters(text, most));
  std::ranges::replace_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  // U+0080 to U+009F are some, too: one begins commands to a terminal as ESC [ does.
  for (auto at = out.find('\xc2'); at != out.npos; at = out.find('\xc2', at + 1))
    if (static_cast<unsigned char>(out[at + 1]) < 0xa0) out[at] = out[at + 1] = ' ';
  return out;
}

std::string random_bytes(std::size_t count) {
  std::string out(count, '\0');
  for (std::size_t done = 0; done < count;) {
    const auto got = ::getrandom(out.data() + done, count - done, 0);
    if (got < 0) std::abort();  // cannot happen on a kernel with getrandom; going on without randomness would be worse
    done += static_cast<std::size_t>(got);
  }
  return out;
}

}  // namespace picket
