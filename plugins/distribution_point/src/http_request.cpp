#include "http_request.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "base/bytes.hpp"
#include "http_words/http_words.hpp"

namespace distribution_point {
namespace {

using http_words::has_element, http_words::is_token_byte, http_words::is_word, http_words::trimmed;
using What = Parsed::What;

Parsed bad(int status, const char* why) { return {What::bad, 0, status, why}; }

template <class Number>
bool whole_number(std::string_view text, Number& out) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// Into `out`, decoded once. False: not a path that could name anything.
bool decode_path(std::string_view raw, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const auto c = static_cast<unsigned char>(raw[i]);
    if (c <= 0x20 || c == 0x7f) return false;
    if (c != '%') {
      out.push_back(raw[i]);
      continue;
    }
    if (i + 2 >= raw.size()) return false;
    const int high = picket::hex_digit(raw[i + 1]), low = picket::hex_digit(raw[i + 2]);
    if (high < 0 || low < 0) return false;
    const auto byte = static_cast<char>(high * 16 + low);
    if (byte == '\0') return false;
    out.push_back(byte);
    i += 2;
  }
  return true;
}

Parsed parse_target(std::string_view target, Request& out) {
  if (target.size() > kMostPath) return bad(414, "the path is too long");
  // A proxy asks with the whole address.
  if (target.starts_with("http://") || target.starts_with("https://")) {
    const auto slash = target.find('/', target.find("//") + 2);
    target = slash == target.npos ? std::string_view("/") : target.substr(slash);
  }
  target = target.substr(0, target.find_first_of("?#"));
  if (target.empty() || target.front() != '/') return bad(400, "the request names no path");
  if (!decode_path(target, out.path)) return bad(400, "the path has bad characters");
  return {What::complete};
}

}  // namespace

Parsed parse_request(std::string_view bytes, Request& out) {
  // TLS on a plain port, or noise: no need to wait for more of it. RFC 9112 2.2 lets a client send an empty line before a request.
  std::size_t at = 0;
  while (at < 4 && at + 1 < bytes.size() && bytes[at] == '\r' && bytes[at + 1] == '\n') at += 2;
  if (at < bytes.size() && bytes[at] != '\r' && !is_token_byte(static_cast<unsigned char>(bytes[at]))) return bad(400, "this is not HTTP");
  const auto end = bytes.find("\r\n\r\n", at);
  if (end == bytes.npos) return bytes.size() > kMostHead ? bad(431, "the head is too long") : Parsed{};
  if (end + 4 > kMostHead) return bad(431, "the head is too long");

  out.range = out.if_range = out.if_none_match = out.if_modified_since = {};
  out.body_bytes = 0;
  out.takes_gzip = false;
  const auto head = bytes.substr(at, end + 2 - at);  // every line with its end
  auto line_end = head.find("\r\n");
  const auto line = head.substr(0, line_end);
  const auto first_space = line.find(' '), last_space = line.rfind(' ');
  if (first_space == line.npos || first_space == 0 || last_space == first_space) return bad(400, "the request line is malformed");
  const auto method = line.substr(0, first_space), version = line.substr(last_space + 1);
  for (const char c : method)
    if (!is_token_byte(static_cast<unsigned char>(c))) return bad(400, "the method is malformed");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return version.starts_with("HTTP/") ? bad(505, "only HTTP/1.1 is spoken here") : bad(400, "this is not HTTP");
  out.method = method == "GET" ? Request::Method::get : method == "HEAD" ? Request::Method::head : method == "POST" ? Request::Method::post : Request::Method::other;
  if (auto target = parse_target(line.substr(first_space + 1, last_space - first_space - 1), out); target.what == What::bad) return target;

  const bool is_1_1 = version == "HTTP/1.1";
  out.keep_alive = is_1_1;
  bool have_host = false, have_length = false;
  for (std::size_t begin = line_end + 2; begin < head.size(); begin = line_end + 2) {
    line_end = head.find("\r\n", begin);
    const auto field = head.substr(begin, line_end - begin);
    const auto colon = field.find(':');
    if (colon == field.npos || colon == 0) return bad(400, "a header line is malformed");
    const auto name = field.substr(0, colon);
    for (const char c : name)
      if (!is_token_byte(static_cast<unsigned char>(c))) return bad(400, "the name of a header is malformed");
    const auto value = trimmed(field.substr(colon + 1));
    for (const char c : value)
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return bad(400, "a header has control characters");
    switch (name.size()) {
      case 4:
        if (!is_word(name, "host")) break;
        if (have_host) return bad(400, "two Host headers");
        have_host = true;
        break;
      case 5:
        if (is_word(name, "range")) out.range = value;
        break;
      case 8:
        if (is_word(name, "if-range")) out.if_range = value;
        break;
      case 10:
        if (!is_word(name, "connection")) break;
        if (has_element(value, "close")) out.keep_alive = false;
        else if (!is_1_1 && has_element(value, "keep-alive")) out.keep_alive = true;
        break;
      case 13:
        if (is_word(name, "if-none-match")) out.if_none_match = value;
        break;
      case 14:
        if (!is_word(name, "content-length")) break;
        if (have_length || !whole_number(value, out.body_bytes)) return bad(400, "Content-Length is malformed");
        have_length = true;
        break;
      case 15:
        if (is_word(name, "accept-encoding")) out.takes_gzip = has_element(value, "gzip");  // with a weight it goes unpacked
        break;
      case 17:
        if (is_word(name, "if-modified-since")) out.if_modified_since = value;
        else if (is_word(name, "transfer-encoding")) return bad(501, "Transfer-Encoding is not accepted: send Content-Length");
        break;
      default:
        break;
    }
  }
  if (is_1_1 && !have_host) return bad(400, "no Host header");
  if (out.method == Request::Method::post) {
    if (!have_length) return bad(411, "send Content-Length");
    if (out.body_bytes > kMostBody) return bad(413, "the body is too long");
  } else if (out.body_bytes > 0) {
    return bad(413, "a body is accepted with POST only");
  }
  return {What::complete, end + 4};
}

std::optional<Part> part_of(std::string_view range, std::uint64_t size) {
  if (!range.starts_with("bytes=")) return std::nullopt;
  range.remove_prefix(6);
  const auto dash = range.find('-');
  if (dash == range.npos || range.find(',') != range.npos) return std::nullopt;
  const auto from = range.substr(0, dash), to = range.substr(dash + 1);
  if (from.empty()) {
    std::uint64_t last_bytes = 0;
    if (!whole_number(to, last_bytes)) return std::nullopt;
    if (last_bytes == 0 || size == 0) return Part{0, 0, true};
    if (last_bytes > size) last_bytes = size;
    return Part{size - last_bytes, last_bytes};
  }
  std::uint64_t first = 0, last = 0;
  if (!whole_number(from, first)) return std::nullopt;
  if (!to.empty() && (!whole_number(to, last) || last < first)) return std::nullopt;
  if (first >= size) return Part{0, 0, true};
  if (to.empty() || last >= size) last = size - 1;
  return Part{first, last - first + 1};
}

namespace {
constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
}  // namespace

std::string http_date(std::int64_t time) {
  const auto value = static_cast<std::time_t>(time);
  std::tm parts{};
  if (::gmtime_r(&value, &parts) == nullptr) return "Thu, 01 Jan 1970 00:00:00 GMT";
  char out[80];
  std::snprintf(out, sizeof out, "%s, %02d %s %04d %02d:%02d:%02d GMT", kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return out;
}

std::optional<std::int64_t> parse_http_date(std::string_view text) {
  // Only the form that is sent today; who sends another one gets the file.
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" || text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':')
    return std::nullopt;
  std::tm parts{};
  if (!whole_number(text.substr(5, 2), parts.tm_mday) || !whole_number(text.substr(12, 4), parts.tm_year) || !whole_number(text.substr(17, 2), parts.tm_hour) ||
      !whole_number(text.substr(20, 2), parts.tm_min) || !whole_number(text.substr(23, 2), parts.tm_sec))
    return std::nullopt;
  parts.tm_mon = -1;
  for (std::size_t i = 0; i < kMonths.size(); ++i)
    if (text.substr(8, 3) == kMonths[i]) parts.tm_mon = static_cast<int>(i);
  if (parts.tm_mon < 0 || parts.tm_mday < 1 || parts.tm_mday > 31 || parts.tm_year < 1970 || parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 60) return std::nullopt;
  parts.tm_year -= 1900;
  return static_cast<std::int64_t>(::timegm(&parts));
}

}  // namespace distribution_point
