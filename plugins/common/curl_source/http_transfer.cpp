#include "curl_source/http_transfer.hpp"

#include <algorithm>

#include "curl_source/options.hpp"
#include "curl_source/verdict.hpp"

namespace curl_source {
namespace {

constexpr unsigned kMostRedirects = 3;
constexpr std::chrono::seconds kShun(60);
constexpr std::size_t kMostShunned = 256, kMostEarlier = 2000, kMostPoints = 4096;

// Metadata are hex and names: packed they are half the bytes, and what a check costs. Targets are packed as they are, and resumed by offset.
bool may_come_packed(const picket::source::v1::FetchRequest& request) { return request.offset() == 0 && request.path().starts_with("metadata/"); }

bool is_redirect(long status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

// Nothing there speaks https; a certificate that is not accepted is another matter, and no reason to go without.
bool says_no_https(CURLcode code, bool body_began) {
  return !body_began && (code == CURLE_COULDNT_CONNECT || code == CURLE_SSL_CONNECT_ERROR || code == CURLE_OPERATION_TIMEDOUT || code == CURLE_RECV_ERROR ||
                         code == CURLE_GOT_NOTHING);
}

}  // namespace

void Shunned::add(const std::string& address, bool no_https) {
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(entries_, [&](const auto& entry) { return entry.second.until < now; });
  if (entries_.size() < kMostShunned) entries_[address] = {now + kShun, no_https};
}

Shunned::Why Shunned::look(const std::string& address) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(address);
  if (found == entries_.end() || found->second.until < std::chrono::steady_clock::now()) return Why::not_at_all;
  return found->second.no_https ? Why::no_https : Why::failed;
}

// What failed a moment ago comes last; a way out without https is open when its https failed a moment ago.
void HttpTransfer::set_order() {
  std::vector<HttpBase> good, bad;
  auto* list = &good;
  bool way_out = false;
  for (auto& base : target_.bases) {
    const auto why = shunned_->look(base.address);
    if (base.when_https_fails && way_out) {
      base.when_https_fails = false;
      note("https could not be had there a moment ago: using " + base.address);
    }
    way_out = base.is_https && why == Shunned::Why::no_https;
    if (!base.when_https_fails) list = why == Shunned::Why::not_at_all ? &good : &bad;  // a way out stays with its base
    list->push_back(base);
  }
  good.insert(good.end(), bad.begin(), bad.end());
  target_.bases = std::move(good);
}

Outcome<> HttpTransfer::go_to_base() {
  auto where = address_of(target_.bases[at_].address, order().request.path());
  if (!where) return tl::unexpected(where.error());
  redirects_ = 0;
  no_https_ = false;
  expect_packed(plain_places_ && !plain_ && position() == 0 && may_lie_packed(order().request.path()) && !plain_places_->is_known(target_.bases[at_].address));
  if (is_packed()) *where += ".gz";
  set_coding();
  go_to(std::move(*where));
  std::string range;
  if (const auto from = position(); from > 0) {
    const std::uint64_t last = from + std::max<std::uint64_t>(order().request.max_bytes() - taken(), 1) - 1;
    range = std::to_string(from) + "-";
    if (last > from && last < (std::uint64_t{1} << 62)) range += std::to_string(last);
  }
  set(CURLOPT_RANGE, range.empty() ? nullptr : range.c_str());
  return {};
}

void HttpTransfer::set_coding() {
  if (may_come_packed(order().request) && !is_packed()) {
    set(CURLOPT_ACCEPT_ENCODING, "gzip");
    set(CURLOPT_HTTPHEADER, static_cast<curl_slist*>(nullptr));
    return;
  }
  set(CURLOPT_ACCEPT_ENCODING, static_cast<const char*>(nullptr));
  headers_.reset(::curl_slist_append(nullptr, "Accept-Encoding: identity"));
  set(CURLOPT_HTTPHEADER, headers_.get());
}

// In the middle of a file only one that is named by its digest goes on elsewhere: of metadata another server may have another version.
bool HttpTransfer::may_go_elsewhere() const { return taken() == 0 || order().request.path().starts_with("targets/"); }

bool HttpTransfer::try_another(Failure& failure) {
  const auto& failed_base = target_.bases[at_];
  const bool elsewhere = failure.status == PICKET_E_UNAVAILABLE || failure.status == PICKET_E_TIMEOUT || failure.status == PICKET_E_IO;
  if (elsewhere && target_.bases.size() > 1) shunned_->add(failed_base.address, no_https_ && failed_base.is_https);
  // That a mirror lacks a file says little, except for metadata: the next root is asked for until it is not there.
  const bool lacks_file = failure.status == PICKET_E_NOT_FOUND && !order().request.path().starts_with("metadata/");
  std::size_t next = at_ + 1;
  while (next < target_.bases.size() && target_.bases[next].when_https_fails && !(next == at_ + 1 && no_https_ && failed_base.is_https)) ++next;
  if (next < target_.bases.size() && may_go_elsewhere() && (elsewhere || lacks_file || failure.status == PICKET_E_DENIED)) {
    if (earlier_.size() < kMostEarlier) earlier_ += failure.text + "; ";
    note((target_.bases[next].when_https_fails ? "https cannot be had, so http is used: " : taken() > 0 ? "the next mirror goes on at byte " + std::to_string(position()) + ": " : "the next mirror is tried: ") + failure.text);
    at_ = next;
    if (go_to_base()) return true;
  }
  failure.text = earlier_ + failure.text;
  return false;
}

Outcome<> HttpTransfer::begin() {
  const Option files[] = {{"ca_file", &target_.ca_file}, {"client_certificate", &target_.client_certificate}, {"client_key", &target_.client_key}};
  if (auto good = want_readable(target_.name, files); !good) return good;
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  // What the host wants to be told, nothing where it wants nothing told, our own name where it says nothing.
  const std::string& told = order().request.has_told() ? order().request.told() : user_agent_;
  set(CURLOPT_USERAGENT, told.empty() ? nullptr : told.c_str());
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
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
  set_order();
  return go_to_base();
}

Outcome<> HttpTransfer::use(HttpTarget target) {
  const auto* built = ::curl_version_info(CURLVERSION_NOW);
  set(CURLOPT_CAINFO, built->cainfo);
  set(CURLOPT_CAPATH, built->capath);
  for (const CURLoption option : {CURLOPT_PROXY_CAINFO, CURLOPT_SSLCERT, CURLOPT_SSLKEY, CURLOPT_KEYPASSWD, CURLOPT_USERNAME, CURLOPT_PASSWORD})
    set(option, static_cast<const char*>(nullptr));
  target_ = std::move(target);
  at_ = 0;
  return HttpTransfer::begin();
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
  const auto is_plain = [](unsigned char c) { return c >= 0x20 && c < 0x7f; };
  if (auto points = header("Picket-Point"); points.size() <= kMostPoints && std::ranges::all_of(points, is_plain)) came_from_point(std::move(points));
  const std::string coding = header("Content-Encoding");
  if (is_packed()) {  // some servers call the packing of NAME.gz a coding, and some do not; unpack() sees what it is
    if (status == 200) take_from(0, 0);
    return;
  }
  const bool is_coded = !coding.empty() && coding != "identity";
  if (is_coded && !(coding == "gzip" && may_come_packed(order().request)))
    return refuse({PICKET_E_IO, address() + ": the server sends it with Content-Encoding " + coding.substr(0, 40) + ", which was not asked for"});
  curl_off_t length = -1;
  ::curl_easy_getinfo(easy(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  const auto wanted = position();
  if (status == 206) {
    ContentRange range;
    if (wanted == 0 || !parse_content_range(header("Content-Range"), range) || !range.has_first || range.first != wanted)
      return refuse({PICKET_E_IO, address() + ": the server sends another part of the file than was asked for"});
    if (taken() > 0 && range.has_total && whole_size() > 0 && range.total != whole_size())
      return refuse({PICKET_E_IO, address() + ": the file has " + std::to_string(range.total) + " bytes here, and " + std::to_string(whole_size()) + " where it began"});
    return take_from(range.first, range.has_total ? range.total : 0);
  }
  if (taken() > 0) return refuse({PICKET_E_IO, address() + ": the server does not go on at byte " + std::to_string(wanted)});
  take_from(0, length >= 0 && !is_coded ? static_cast<std::uint64_t>(length) : 0);  // also when asked to resume: this server cannot, so the file begins anew
}

// The server has no such file, or another page in its place. Some say 403 to what is not there.
bool HttpTransfer::lies_plain(CURLcode code, long status) const {
  if (code == CURLE_WRITE_ERROR) return true;  // more than a packed file has
  return code == CURLE_OK && (status == 200 || (status >= 400 && status < 500 && status != 401 && status != 407 && status != 408 && status != 429));
}

Transfer::Step HttpTransfer::ask_for_plain() {
  if (order().request.path().ends_with(".snapshot.json")) plain_places_->add(target_.bases[at_].address);  // which is the first that a client asks for
  plain_ = true;
  if (auto there = go_to_base(); !there) {
    refuse(there.error());
    return Step::done;
  }
  return Step::again;
}

Transfer::Step HttpTransfer::judge(CURLcode code) {
  long status = 0;
  ::curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
  if (is_packed()) {
    if (code == CURLE_OK && status == 200 && unpack()) return Step::done;
    if (lies_plain(code, status)) return ask_for_plain();
  }
  if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && page_was_too_long())) {
    long proxy_status = 0;
    ::curl_easy_getinfo(easy(), CURLINFO_HTTP_CONNECTCODE, &proxy_status);
    if (proxy_status == 407 || proxy_status == 401) {  // some say 401 to a wrong password
      refuse(failure_of_status(407, address(), 0));
      return Step::done;
    }
    no_https_ = says_no_https(code, body_began());
    refuse(failure_of(code, address(), curl_text(code), body_began()));
    return Step::done;
  }
  if (is_redirect(status)) return redirect();
  if (status == 200 || status == 206) return Step::done;
  if (order().probe && (status == 405 || status == 501)) return Step::done;  // it answers, only not to HEAD
  if (status == 416 && position() > 0) return judge_range();
  curl_off_t retry_after = 0;
  ::curl_easy_getinfo(easy(), CURLINFO_RETRY_AFTER, &retry_after);
  refuse(failure_of_status(status, address(), retry_after));
  return Step::done;
}

Transfer::Step HttpTransfer::judge_range() {
  const auto wanted = position();
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
