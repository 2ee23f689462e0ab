#include "ksn/address.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include <arpa/inet.h>
#include <idn2.h>

#include "base/bytes.hpp"
#include "base/free_with.hpp"

namespace picket::ksn {
namespace {

constexpr std::size_t kMostAddressBytes = 8192;

// Until nothing changes, in one pass: "%" and two hex digits never overlap another such three, so the order of replacing does not matter.
std::string unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    out += c;
    while (out.size() >= 3 && out[out.size() - 3] == '%') {
      const int high = hex_digit(out[out.size() - 2]), low = hex_digit(out[out.size() - 1]);
      if (high < 0 || low < 0) break;
      out.resize(out.size() - 3);
      out += static_cast<char>(high * 16 + low);
    }
  }
  return out;
}

void append_escaped(std::string_view text, std::string& out) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '#' || c == '%') {
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// "scheme://" off the front of `rest`; "http" when there is none. What stands behind "mailto:" and its like is no host.
Result<std::string> take_scheme(std::string_view& rest) {
  constexpr std::array<std::string_view, 5> web{"http", "https", "ftp", "ws", "wss"};
  const std::string none = "http";
  const auto end = rest.find(':');
  if (end == 0 || end == rest.npos || !is_letter(rest[0])) return none;
  std::string out;
  for (const char c : rest.substr(0, end)) {
    if (!is_letter(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') return none;
    out += lower(c);
  }
  const auto behind = rest.substr(end + 1);
  const bool is_web = std::find(web.begin(), web.end(), out) != web.end();
  if (behind.starts_with("//") && is_web) {
    rest = behind.substr(2);
    return out;
  }
  // "host:port" looks like a scheme, but for the numbers that one calls.
  const auto digits = std::min(behind.find_first_not_of("0123456789"), behind.size());
  const bool is_port = digits > 0 && (digits == behind.size() || behind[digits] == '/' || behind[digits] == '?') && out != "tel" && out != "sms";
  if (is_port) return none;
  if (is_web) {  // with one slash or none, as browsers read it
    rest = behind.substr(behind.starts_with('/') ? 1 : 0);
    return out;
  }
  return fail(Code::invalid, cat("not a web address: the scheme is '", out.substr(0, 40), "'"));
}

// One number of an IP address as inet_aton reads it: decimal, octal after 0, hexadecimal after 0x.
std::optional<std::uint64_t> ip_number(std::string_view text) {
  unsigned base = 10;
  if (text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text[0] == '0') {
    base = 8;
  }
  if (text.empty()) return std::nullopt;
  std::uint64_t out = 0;
  for (const char c : text) {
    const int value = hex_digit(c);
    if (value < 0 || static_cast<unsigned>(value) >= base) return std::nullopt;
    out = out * base + static_cast<unsigned>(value);
    if (out > 0xffffffff) return std::nullopt;
  }
  return out;
}

std::optional<std::string> dotted_decimal(std::string_view host) {
  std::array<std::uint64_t, 4> parts{};
  std::size_t count = 0;
  for (;; ++count) {
    if (count == 4) return std::nullopt;
    const auto dot = host.find('.');
    const auto number = ip_number(host.substr(0, dot));
    if (!number) return std::nullopt;
    parts[count] = *number;
    if (dot == host.npos) break;
    if (*number > 255) return std::nullopt;
    host.remove_prefix(dot + 1);
  }
  // The last number fills what the others leave.
  if (parts[count] >= std::uint64_t{1} << (8 * (4 - count))) return std::nullopt;
  std::uint64_t address = parts[count];
  for (std::size_t i = 0; i < count; ++i) address |= parts[i] << (8 * (3 - i));
  return cat(std::to_string(address >> 24), ".", std::to_string(address >> 16 & 255), ".", std::to_string(address >> 8 & 255), ".", std::to_string(address & 255));
}

// Without outer and double dots, in lower case as far as ASCII goes.
std::string plain_host(std::string_view host) {
  std::string out;
  for (const char c : host)
    if (c != '.' || (!out.empty() && out.back() != '.')) out += lower(c);
  if (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

// The name as DNS has it. None: it is ASCII, or no name that IDNA2008 allows. A full-width slash or percent sign would become a plain one,
// and the host another than people see: what is not of letters, digits, '-' and '_' then stays as it came.
std::optional<std::string> ascii_host(const std::string& host) {
  const bool is_ascii = std::all_of(host.begin(), host.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (is_ascii || host.find('\0') != host.npos) return std::nullopt;
  std::uint8_t* made = nullptr;
  if (::idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(host.c_str()), &made, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK) return std::nullopt;
  const Owned<std::uint8_t, idn2_free> owner(made);
  auto out = plain_host(reinterpret_cast<const char*>(made));
  const bool is_name = std::all_of(out.begin(), out.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '-' || c == '_'; });
  if (out.empty() || !is_name) return std::nullopt;
  return out;
}

Result<std::string> canonical_host(std::string_view host) {
  if (host.starts_with('[')) {
    in6_addr address{};
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (!host.ends_with(']') || host.size() > 64 || host.find('\0') != host.npos ||
        inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &address) != 1 || !inet_ntop(AF_INET6, &address, text.data(), text.size()))
      return fail(Code::invalid, "not a web address: a broken IPv6 address");
    return cat("[", std::string_view(text.data()), "]");
  }
  if (host.find_first_of(":[]") != host.npos) return fail(Code::invalid, "not a web address: the host is not a name");
  auto out = plain_host(host);
  if (out.empty()) return fail(Code::invalid, "not a web address: it has no host");
  if (auto name = ascii_host(out)) out = std::move(*name);
  if (auto ip = dotted_decimal(out)) return std::move(*ip);
  return out;
}

// "user:password@", host, ":port" as they stand in an authority.
struct Authority {
  std::string_view user, host, port;
};
Authority split_authority(std::string_view text) {
  Authority out;
  if (const auto at = text.rfind('@'); at != text.npos) {
    out.user = text.substr(0, at + 1);
    text.remove_prefix(at + 1);
  }
  if (const auto colon = text.rfind(':'); colon != text.npos && text.find(']', colon) == text.npos) {
    out.port = text.substr(colon);
    text = text.substr(0, colon);
  }
  out.host = text;
  return out;
}

std::string canonical_path(std::string_view path) {
  std::vector<std::string_view> kept;
  bool folder = true;  // whether the path ends with a slash
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash before the part
    const auto end = std::min(path.find('/'), path.size());
    const auto part = path.substr(0, end);
    path.remove_prefix(end);
    folder = part.empty() || part == "." || part == "..";
    if (part == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!folder) {
      kept.push_back(part);
    }
  }
  std::string out = "/";
  for (const auto part : kept) out.append(part).append("/");
  if (!folder) out.pop_back();
  return out;
}

}  // namespace

Result<std::string> canonical_address(std::string_view address) {
  if (address.size() > kMostAddressBytes) return fail(Code::invalid, "not a web address: longer than 8 KiB");
  std::string plain;
  for (const char c : address.substr(0, address.find('#')))
    if (c != '\t' && c != '\r' && c != '\n') plain += c;
  const auto first = plain.find_first_not_of(' ');
  if (first == plain.npos) return fail(Code::invalid, "not a web address: empty");
  const auto text = unescape(std::string_view(plain).substr(first, plain.find_last_not_of(' ') - first + 1));
  std::string_view rest = text;
  PICKET_LET(scheme, take_scheme(rest));
  auto out = cat(scheme, "://");

  const auto authority = split_authority(rest.substr(0, rest.find_first_of("/?")));
  rest.remove_prefix(std::min(rest.find_first_of("/?"), rest.size()));
  PICKET_LET(host, canonical_host(authority.host));
  append_escaped(authority.user, out);
  append_escaped(host, out);
  if (authority.port.size() > 1) {
    if (authority.port.size() > 6 || !std::all_of(authority.port.begin() + 1, authority.port.end(), is_digit)) return fail(Code::invalid, "not a web address: the port is not a number");
    out += authority.port;
  }
  const auto query = std::min(rest.find('?'), rest.size());
  append_escaped(canonical_path(rest.substr(0, query)), out);
  append_escaped(rest.substr(query), out);
  return out;
}

std::vector<std::string> address_expressions(std::string_view canonical) {
  const auto scheme = canonical.find("://");
  if (scheme == canonical.npos) return {};
  auto rest = canonical.substr(scheme + 3);
  const auto host = split_authority(rest.substr(0, rest.find_first_of("/?"))).host;
  rest.remove_prefix(std::min(rest.find_first_of("/?"), rest.size()));
  if (host.empty()) return {};

  std::vector<std::string_view> hosts{host};
  if (!host.starts_with('[') && !dotted_decimal(host)) {
    // From the last five parts on, one fewer each time, never the last part alone.
    std::vector<std::string_view> suffixes;
    auto end = host.size();
    for (std::size_t parts = 1; parts <= 5; ++parts) {
      const auto dot = end == 0 ? host.npos : host.rfind('.', end - 1);
      if (dot == host.npos) break;
      if (parts >= 2) suffixes.push_back(host.substr(dot + 1));
      end = dot;
    }
    hosts.insert(hosts.end(), suffixes.rbegin(), suffixes.rend());
  }

  const auto query = rest.find('?');
  const auto path = query == 0 || rest.empty() ? std::string_view("/") : rest.substr(0, query);
  std::vector<std::string_view> paths;
  if (query != rest.npos && query != 0) paths.push_back(rest);
  paths.push_back(path);
  std::vector<std::string_view> folders;  // "/", "/1/", "/1/2/", "/1/2/3/"
  for (auto slash = path.find('/'); slash != path.npos && folders.size() < 4; slash = path.find('/', slash + 1)) folders.push_back(path.substr(0, slash + 1));
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder)
    if (*folder != path) paths.push_back(*folder);

  std::vector<std::string> out;
  out.reserve(hosts.size() * paths.size());
  for (const auto suffix : hosts)
    for (const auto prefix : paths) out.push_back(cat(suffix, prefix));
  return out;
}

}  // namespace picket::ksn
