#include "runtime/log_text.hpp"

#include "base/bytes.hpp"

namespace picket::runtime {
namespace {

void escape_byte(std::string& out, unsigned char byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  switch (byte) {
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: out += "\\x", out += digits[byte >> 4], out += digits[byte & 15];
  }
}

std::size_t sequence_length(unsigned char first) { return first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2; }

// C1 controls, and the marks that reverse or hide text on a terminal.
bool is_treacherous(std::string_view sequence) {
  if (sequence.size() == 2) return sequence[0] == '\xc2' && static_cast<unsigned char>(sequence[1]) < 0xa0;
  if (sequence.size() != 3 || sequence[0] != '\xe2') return false;
  const auto second = static_cast<unsigned char>(sequence[1]), third = static_cast<unsigned char>(sequence[2]);
  return (second == 0x80 && (third >= 0xa8 && third <= 0xae)) || (second == 0x81 && third >= 0xa6 && third <= 0xa9);
}

}  // namespace

std::string redact(std::string_view text) {
  std::string out;
  for (;;) {
    const auto scheme = text.find("://");
    if (scheme == text.npos) break;
    const auto authority = scheme + 3;
    const auto end = text.find_first_of("/?# \t\r\n\"'<>", authority);
    const auto until = end == text.npos ? text.size() : end;
    const auto at = text.substr(0, until).rfind('@');
    out += text.substr(0, authority);
    if (at != text.npos && at >= authority) {
      out += "***";
      text.remove_prefix(at);
    } else {
      text.remove_prefix(authority);
    }
  }
  return out += text;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const auto sequence = text.substr(at, sequence_length(byte));
    if (byte < 0x20 || byte == 0x7f || !is_valid_utf8(sequence)) {
      escape_byte(out, byte);
      ++at;
    } else if (is_treacherous(sequence)) {
      for (const char c : sequence) escape_byte(out, static_cast<unsigned char>(c));
      at += sequence.size();
    } else {
      out += sequence;
      at += sequence.size();
    }
  }
  return out;
}

}  // namespace picket::runtime
