#include "ksn/software.hpp"

#include "base/bytes.hpp"
#include "base/digest.hpp"

namespace picket::ksn {
namespace {

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

void append_plain(std::string_view text, std::string& out) {
  const auto begin = out.size();
  bool gap = false;
  for (const char c : text) {
    if (is_blank(c)) {
      gap = true;
      continue;
    }
    if (gap && out.size() > begin) out += ' ';
    gap = false;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
}

}  // namespace

std::string software_digest(std::string_view publisher, std::string_view product) {
  std::string text = "picket-ksn-software-v1\n";
  append_plain(publisher, text);
  text += '\n';
  append_plain(product, text);
  return *from_hex(sha256_hex(text));
}

}  // namespace picket::ksn
