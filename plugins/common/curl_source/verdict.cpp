#include "curl_source/verdict.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace curl_source {

Failure failure_of(CURLcode code, const std::string& address, const std::string& text, bool body_began) {
  const auto say = [&](picket_status status, const char* what) { return Failure{status, address + ": " + what + text}; };
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return say(PICKET_E_TIMEOUT, "");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS: return say(PICKET_E_UNAVAILABLE, "the server's certificate is not accepted: ");
    case CURLE_SSL_CONNECT_ERROR: return say(PICKET_E_UNAVAILABLE, "no secure connection: ");
    case CURLE_USE_SSL_FAILED: return say(PICKET_E_UNAVAILABLE, "the server offers no TLS: ");
    case CURLE_SSL_CACERT_BADFILE: return say(PICKET_E_INVALID, "the option ca_file cannot be used: ");
    case CURLE_SSL_CERTPROBLEM: return say(PICKET_E_INVALID, "the options client_certificate and client_key cannot be used: ");
    case CURLE_URL_MALFORMAT: return say(PICKET_E_INVALID, "");
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY: return {PICKET_E_UNAVAILABLE, address + ": what answers speaks another protocol"};
    case CURLE_LOGIN_DENIED: return say(PICKET_E_DENIED, "the server wants a user and a password or key it accepts: ");
    case CURLE_REMOTE_ACCESS_DENIED: return say(PICKET_E_DENIED, "");
    case CURLE_REMOTE_FILE_NOT_FOUND: return say(PICKET_E_NOT_FOUND, "not found: ");
    case CURLE_OUT_OF_MEMORY: return say(PICKET_E_INTERNAL, "");
    case CURLE_PARTIAL_FILE: return {PICKET_E_IO, address + ": the server closed the connection before the end of the file"};
    default: return say(body_began ? PICKET_E_IO : PICKET_E_UNAVAILABLE, "");
  }
}

Failure failure_of_status(long status, const std::string& address, std::int64_t retry_after) {
  const std::string what = address + ": HTTP " + std::to_string(status);
  const std::string later = retry_after > 0 ? ", try again in " + std::to_string(retry_after) + " s" : std::string();
  const auto rest = static_cast<std::uint32_t>(std::clamp<std::int64_t>(retry_after, 0, 1'000'000'000));
  switch (status) {
    case 404:
    case 410: return {PICKET_E_NOT_FOUND, what + ", not found"};
    case 401: return {PICKET_E_DENIED, what + ", the server wants a user and a password it accepts"};
    case 403: return {PICKET_E_DENIED, what + ", forbidden" + later, rest};
    case 407: return {PICKET_E_DENIED, what + ", the proxy wants a user and a password it accepts"};
    case 408:
    case 504: return {PICKET_E_TIMEOUT, what + ", the server gave up waiting" + later, rest};
    case 429: return {PICKET_E_UNAVAILABLE, what + ", asked too often" + later, rest};
    case 503: return {PICKET_E_UNAVAILABLE, what + ", the server is overloaded or in maintenance" + later, rest};
    default: return {PICKET_E_UNAVAILABLE, what + later, rest};
  }
}

bool parse_content_range(const std::string& text, ContentRange& out) {
  std::string_view rest = text;
  constexpr std::string_view unit = "bytes ";
  if (rest.substr(0, unit.size()) != unit) return false;
  rest.remove_prefix(unit.size());
  const auto number = [&rest](std::uint64_t& value) {
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc()) return false;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    return true;
  };
  const auto skip = [&rest](char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  };
  std::uint64_t last = 0;
  if (skip('*')) {
    out.has_first = false;
  } else {
    if (!number(out.first) || !skip('-') || !number(last) || last < out.first) return false;
    out.has_first = true;
  }
  if (!skip('/')) return false;
  out.has_total = !skip('*');
  if (out.has_total && !number(out.total)) return false;
  return rest.empty() && (!out.has_total || !out.has_first || last < out.total);
}

}  // namespace curl_source
