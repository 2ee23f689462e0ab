#include "curl_source/http_transfer.hpp"

#include <algorithm>

#include "curl_source/options.hpp"
#include "curl_source/verdict.hpp"

namespace curl_source {
namespace {

constexpr unsigned kMostRedirects = 3;

// Metadata are hex and names: packed they are half the bytes, and what a check costs. Targets are packed as they are, and resumed by offset.
bool may_come_packed(const picket::source::v1::FetchRequest& request) { return request.offset() == 0 && request.path().starts_with("metadata/"); }

bool is_redirect(long status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

}  // namespace

Outcome<> HttpTransfer::begin() {
  auto where = address_of(target_.base, order().request.path());
  if (!where) return tl::unexpected(where.error());
  const Option files[] = {{"ca_file", &target_.ca_file}, {"client_certificate", &target_.client_certificate}, {"client_key", &target_.client_key}};
  if (auto good = want_readable(target_.name, files); !good) return good;
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(CURLOPT_USERAGENT, user_agent_.c_str());
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (may_come_packed(order().request)) {
    set(CURLOPT_ACCEPT_ENCODING, "gzip");
  } else {
    headers_.reset(::curl_slist_append(nullptr, "Accept-Encoding: identity"));
    set(CURLOPT_HTTPHEADER, headers_.get());
  }
  set_ok(use_proxy(easy(), target_.proxy));
  if (!target_.ca_file.empty()) {
    set(CURLOPT_CAINFO, target_.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // this file only
    set(CURLOPT_PROXY_CAINFO, target_.ca_file.c_str());
  }
  if (!target_.client_certificate.empty()) {
    set(CURLOPT_SSLCERT, target_.client_certificate.c_str());
    set(CURLOPT_SSLKEY, target_.client_key.c_str());
    // Also when empty: libcurl would otherwise let OpenSSL ask on the terminal.
    set(CURLOPT_KEYPASSWD, target_.client_key_password.c_str());
  }
  if (!target_.user.empty() || !target_.password.empty()) {
    set(CURLOPT_USERNAME, target_.user.c_str());
    set(CURLOPT_PASSWORD, target_.password.c_str());
    set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
  }
  const auto& request = order().request;
  if (request.offset() > 0) {
    const std::uint64_t last = request.offset() + std::max<std::uint64_t>(request.max_bytes(), 1) - 1;
    std::string range = std::to_string(request.offset()) + "-";
    if (last > request.offset() && last < (std::uint64_t{1} << 62)) range += std::to_string(last);
    set(CURLOPT_RANGE, range.c_str());
  }
  go_to(std::move(*where));
  return {};
}

std::string HttpTransfer::header(const char* name) const {
  curl_header* found = nullptr;
  if (::curl_easy_header(easy(), name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK) return {};
  return found->value;
}

void HttpTransfer::look_at_head() {
  long status = 0;
  ::curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200 && status != 206) return;  // an error page: judge() says so
  const std::string coding = header("Content-Encoding");
  const bool is_packed = !coding.empty() && coding != "identity";
  if (is_packed && !(coding == "gzip" && may_come_packed(order().request)))
    return refuse({PICKET_E_IO, address() + ": the server sends it with Content-Encoding " + coding.substr(0, 40) + ", which was not asked for"});
  curl_off_t length = -1;
  ::curl_easy_getinfo(easy(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  const auto wanted = order().request.offset();
  if (status == 206) {
    ContentRange range;
    if (wanted == 0 || !parse_content_range(header("Content-Range"), range) || !range.has_first || range.first != wanted)
      return refuse({PICKET_E_IO, address() + ": the server sends another part of the file than was asked for"});
    return take_from(range.first, range.has_total ? range.total : 0);
  }
  take_from(0, length >= 0 && !is_packed ? static_cast<std::uint64_t>(length) : 0);  // also when asked to resume: this server cannot, so the file begins anew
}

Transfer::Step HttpTransfer::judge(CURLcode code) {
  long status = 0;
  ::curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
  if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && page_was_too_long())) {
    refuse(failure_of(code, address(), curl_text(code), body_began()));
    return Step::done;
  }
  if (is_redirect(status)) return redirect();
  if (status == 200 || status == 206) return Step::done;
  if (order().probe && (status == 405 || status == 501)) return Step::done;  // it answers, only not to HEAD
  if (status == 416 && order().request.offset() > 0) return judge_range();
  curl_off_t retry_after = 0;
  ::curl_easy_getinfo(easy(), CURLINFO_RETRY_AFTER, &retry_after);
  refuse(failure_of_status(status, address(), retry_after));
  return Step::done;
}

Transfer::Step HttpTransfer::judge_range() {
  const auto wanted = order().request.offset();
  ContentRange range;
  const bool known = parse_content_range(header("Content-Range"), range) && range.has_total;
  if (known && range.total == wanted) {
    take_from(wanted, wanted);  // nothing is left to send
    return Step::done;
  }
  refuse({PICKET_E_IO, known ? address() + " has only " + std::to_string(range.total) + " bytes, fewer than the " + std::to_string(wanted) + " already here"
                             : address() + ": the server does not resume at " + std::to_string(wanted)});
  return Step::done;
}

Transfer::Step HttpTransfer::redirect() {
  char* to = nullptr;
  ::curl_easy_getinfo(easy(), CURLINFO_REDIRECT_URL, &to);
  std::string next = to != nullptr ? to : "";
  if (next.empty() || !may_redirect(address(), next)) {
    refuse({PICKET_E_UNAVAILABLE, address() + ": the server sends to another host (a login page of the network?): not followed"});
    return Step::done;
  }
  if (++redirects_ > kMostRedirects) {
    refuse({PICKET_E_UNAVAILABLE, address() + ": redirected more than " + std::to_string(kMostRedirects) + " times"});
    return Step::done;
  }
  go_to(std::move(next));
  return Step::again;
}

}  // namespace curl_source
