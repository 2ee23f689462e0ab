#include "ksn_server/head.hpp"

#include <charconv>

#include "http_words/http_words.hpp"
#include "ksn_server/protocol.hpp"

namespace ksn_server {
namespace {

using http_words::has_element, http_words::is_token_byte, http_words::is_word, http_words::trimmed;
using What = ParsedHead::What;

ParsedHead bad_head(int status, const char* why) { return {What::bad, 0, status, why}; }

// Of the headers that have been seen.
struct Seen {
  bool host = false, length = false;
};

// nullptr: fine.
const char* take_field(std::string_view name, std::string_view value, bool is_1_1, Seen& seen, Head& out, int& status) {
  status = 400;
  switch (name.size()) {
    case 4:
      if (!is_word(name, "host")) return nullptr;
      if (seen.host) return "two Host headers";
      seen.host = true;
      return nullptr;
    case 6:
      if (!is_word(name, "expect")) return nullptr;
      if (is_word(value, "100-continue")) {
        out.expects_continue = true;
        return nullptr;
      }
      status = 417;
      return "nothing but 100-continue can be expected";
    case 10:
      if (!is_word(name, "connection")) return nullptr;
      if (has_element(value, "close")) out.keep_alive = false;
      else if (!is_1_1 && has_element(value, "keep-alive")) out.keep_alive = true;
      return nullptr;
    case 14:
      if (!is_word(name, "content-length")) return nullptr;
      if (seen.length || !parse_length(value, out.body_bytes)) return "Content-Length is malformed";
      seen.length = true;
      return nullptr;
    case 17:
      if (!is_word(name, "transfer-encoding")) return nullptr;
      status = 501;
      return "Transfer-Encoding is not accepted: send Content-Length";
    default: return nullptr;
  }
}

}  // namespace

bool parse_length(std::string_view text, std::uint64_t& out) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

Head::Method method_of(std::string_view name) {
  return name == "POST" ? Head::Method::post : name == "GET" ? Head::Method::get : name == "HEAD" ? Head::Method::head : Head::Method::other;
}

bool is_plain_path(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.size() > 256) return false;
  for (const char c : path)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) return false;
  return true;
}

ParsedHead parse_head(std::string_view bytes, Head& out) {
  // RFC 9112 2.2 lets a client send an empty line before a request. Noise (TLS on a plain port) need not be waited for.
  std::size_t at = 0;
  while (at < 4 && at + 1 < bytes.size() && bytes[at] == '\r' && bytes[at + 1] == '\n') at += 2;
  if (at < bytes.size() && bytes[at] != '\r' && !is_token_byte(static_cast<unsigned char>(bytes[at]))) return bad_head(400, "this is not HTTP");
  const auto end = bytes.substr(0, kMostHead).find("\r\n\r\n", at);
  if (end == bytes.npos) return bytes.size() >= kMostHead ? bad_head(431, "the head is too long") : ParsedHead{};

  out = {};
  const auto head = bytes.substr(at, end + 2 - at);  // every line with its end
  auto line_end = head.find("\r\n");
  const auto line = head.substr(0, line_end);
  const auto first_space = line.find(' '), last_space = line.rfind(' ');
  if (first_space == line.npos || first_space == 0 || last_space == first_space) return bad_head(400, "the request line is malformed");
  const auto method = line.substr(0, first_space), version = line.substr(last_space + 1);
  for (const char c : method)
    if (!is_token_byte(static_cast<unsigned char>(c))) return bad_head(400, "the method is malformed");
  const bool is_1_1 = version == "HTTP/1.1";
  if (!is_1_1 && version != "HTTP/1.0") return version.starts_with("HTTP/") ? bad_head(505, "HTTP/1.1 and HTTP/2 are spoken here") : bad_head(400, "this is not HTTP");
  out.method = method_of(method);
  auto target = line.substr(first_space + 1, last_space - first_space - 1);
  target = target.substr(0, target.find('?'));
  if (!is_plain_path(target)) return bad_head(400, "the path is malformed");
  out.path = target;

  out.keep_alive = is_1_1;
  Seen seen;
  for (std::size_t begin = line_end + 2; begin < head.size(); begin = line_end + 2) {
    line_end = head.find("\r\n", begin);
    const auto field = head.substr(begin, line_end - begin);
    const auto colon = field.find(':');
    if (colon == field.npos || colon == 0) return bad_head(400, "a header line is malformed");
    const auto name = field.substr(0, colon);
    for (const char c : name)
      if (!is_token_byte(static_cast<unsigned char>(c))) return bad_head(400, "the name of a header is malformed");
    const auto value = trimmed(field.substr(colon + 1));
    for (const char c : value)
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return bad_head(400, "a header has control characters");
    int status = 0;
    if (const char* why = take_field(name, value, is_1_1, seen, out, status); why != nullptr) return bad_head(status, why);
  }
  if (is_1_1 && !seen.host) return bad_head(400, "no Host header");
  if (out.method == Head::Method::post && !seen.length) return bad_head(411, "send Content-Length");
  if (out.method != Head::Method::post && out.body_bytes > 0) return bad_head(413, "a body is accepted with POST only");
  return {What::complete, end + 4};
}

}  // namespace ksn_server
