#include "ksn_channel/exchange.hpp"

#include <algorithm>
#include <cerrno>

#include "curl_source/options.hpp"
#include "curl_source/proxy.hpp"
#include "ksn/limits.hpp"

namespace ksn_channel {
namespace {

using picket::cat;
using picket::Code;
using picket::fail;
using curl_source::part_of;

constexpr std::chrono::milliseconds kConnectTimeout(10'000);

bool is_this_computer(const std::string& host) { return host == "localhost" || host == "[::1]" || host.starts_with("127."); }

struct Parts {
  std::string scheme, host, port, rest;
};
picket::Result<Parts> parts_of(const std::string& address) {
  const curl_source::Url url(::curl_url());
  if (!url || curl_source::has_control_or_space(address) || ::curl_url_set(url.get(), CURLUPART_URL, address.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return fail(Code::invalid, cat("'", address.substr(0, 200), "' is not an address like https://ksn.example:443"));
  Parts parts{part_of(url.get(), CURLUPART_SCHEME), part_of(url.get(), CURLUPART_HOST), part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT),
              part_of(url.get(), CURLUPART_USER) + part_of(url.get(), CURLUPART_QUERY) + part_of(url.get(), CURLUPART_FRAGMENT)};
  const auto path = part_of(url.get(), CURLUPART_PATH);
  if (path != "/" || !parts.rest.empty()) return fail(Code::invalid, cat("'", address.substr(0, 200), "' has more than a host and a port"));
  return parts;
}

}  // namespace

picket::Result<> check_road(const Road& road) {
  PICKET_LET(parts, parts_of(road.base_url));
  if (parts.scheme != "https" && !(parts.scheme == "http" && is_this_computer(parts.host)))
    return fail(Code::invalid, cat("'", road.base_url.substr(0, 200), "': KSN is asked over https only"));
  if (!road.proxy.empty())
    if (const auto proxy = curl_source::parse_proxy(road.proxy); !proxy) return fail(Code::invalid, cat("web proxy ", proxy.error().text));
  for (const auto& resolver : road.resolvers)
    if (const auto good = curl_source::check_resolver(resolver); !good) return fail(Code::invalid, good.error().text);
  return {};
}

std::size_t Exchange::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& me = *static_cast<Exchange*>(self);
  const std::size_t bytes = size * count;
  if (me.body_.size() + bytes > picket::ksn::kMostReplyBytes) {
    me.too_large_ = true;
    return 0;
  }
  try {
    me.body_.append(data, bytes);
  } catch (...) {
    return 0;
  }
  return bytes;
}

std::chrono::milliseconds Exchange::left() const {
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(order_.deadline - std::chrono::steady_clock::now()), std::chrono::milliseconds(1));
}

picket::Result<> Exchange::prepare(curl_source::Easy easy, curl_source::Resolver& resolver) {
  PICKET_TRY(check_road(order_.road));
  PICKET_LET(parts, parts_of(order_.road.base_url));
  host_ = parts.host.starts_with('[') ? parts.host.substr(1, parts.host.size() - 2) : parts.host;
  port_ = parts.port;
  resolver_ = &resolver;
  url_ = cat(parts.scheme, "://", parts.host, ":", port_, order_.path);
  easy_ = easy ? std::move(easy) : curl_source::Easy(::curl_easy_init());
  if (!easy_) return fail(Code::internal, "libcurl gives no handle");
  headers_.reset(::curl_slist_append(nullptr, "Content-Type: application/x-protobuf"));
  // No waiting for "100 Continue", and nothing that tells more of this computer than the message does.
  for (const char* line : {"Expect:", "Accept:", "User-Agent:"}) headers_.reset(::curl_slist_append(headers_.release(), line));
  CURLcode bad = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    const CURLcode code = ::curl_easy_setopt(easy_.get(), option, value);
    if (bad == CURLE_OK) bad = code;
  };
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_));
  set(CURLOPT_URL, url_.c_str());
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDS, order_.body.data());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(order_.body.size()));
  set(CURLOPT_HTTPHEADER, headers_.get());
  set(CURLOPT_WRITEFUNCTION, &Exchange::on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(CURLOPT_PIPEWAIT, 1L);
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  // The deadline is kept by the loop. A name server that hangs must leave time to ask another one.
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(kConnectTimeout, resolver.is_on() ? left() * 2 / 3 : left()).count()));
  if (!order_.road.certificate.empty()) {
    curl_blob authority{order_.road.certificate.data(), order_.road.certificate.size(), CURL_BLOB_COPY};
    set(CURLOPT_CAINFO_BLOB, &authority);
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
  const auto proxy = curl_source::parse_proxy(order_.road.proxy.empty() ? std::string_view("none") : std::string_view(order_.road.proxy));
  if (!proxy) return fail(Code::invalid, cat("web proxy ", proxy.error().text));
  if (const auto code = curl_source::use_proxy(easy_.get(), *proxy); bad == CURLE_OK) bad = code;
  if (bad != CURLE_OK) return fail(Code::internal, cat("libcurl refuses an option: ", ::curl_easy_strerror(bad)));
  if (const auto& known = resolver.known(host_); !known.empty()) use_addresses(known);
  return {};
}

void Exchange::use_addresses(const std::vector<std::string>& addresses) {
  std::string list;
  for (const auto& address : addresses) list += (list.empty() ? "" : ",") + address;
  addresses_.reset(::curl_slist_append(nullptr, ("+" + host_ + ":" + port_ + ":" + list).c_str()));  // '+': for a minute, not for ever
  ::curl_easy_setopt(easy_.get(), CURLOPT_RESOLVE, addresses_.get());
}

bool Exchange::ended(CURLcode code) {
  code_ = code;
  over_ = true;
  if (code == CURLE_OK || looked_up_once_ || !resolver_->is_on() || curl_source::is_ip_address(host_)) return true;
  curl_off_t found_after = 0;
  ::curl_easy_getinfo(easy_.get(), CURLINFO_NAMELOOKUP_TIME_T, &found_after);
  // A resolver that does not answer at all looks like a timeout before the name was known.
  if (code != CURLE_COULDNT_RESOLVE_HOST && !(code == CURLE_OPERATION_TIMEDOUT && found_after == 0)) return true;
  looked_up_once_ = true;
  over_ = false;
  look_up_ = resolver_->ask(host_);
  return false;
}

bool Exchange::looked_up() {
  if (!look_up_ || !look_up_->is_over) return false;
  const auto found = std::move(look_up_);
  look_up_.reset();
  if (found->addresses.empty()) {
    over_ = true;
    return false;
  }
  use_addresses(found->addresses);
  body_.clear();
  error_[0] = '\0';
  ::curl_easy_setopt(easy_.get(), CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(kConnectTimeout, left()).count()));
  return true;
}

picket::Error Exchange::error_of(CURLcode code) const {
  const std::string& where = order_.road.base_url;
  if (too_large_) return {Code::too_large, cat(where, ": the answer is longer than ", std::to_string(picket::ksn::kMostReplyBytes), " bytes")};
  const std::string text = error_[0] != '\0' ? error_ : ::curl_easy_strerror(code);
  long failure = 0;  // of the operating system
  if (code == CURLE_COULDNT_CONNECT) ::curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &failure);
  if (failure == ENETUNREACH || failure == ENETDOWN) return {Code::unavailable, cat(where, ": no network")};
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return {Code::untrusted, cat(where, ": its certificate is not accepted: ", text)};
    case CURLE_OPERATION_TIMEDOUT: return {Code::timeout, cat(where, ": ", text)};
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Code::unavailable, cat(where, ": ", text, looked_up_once_ ? cat("; the fallback resolvers (", resolver_->names(), ") neither") : std::string())};
    case CURLE_OUT_OF_MEMORY: return {Code::internal, cat(where, ": ", text)};
    default: return {Code::unavailable, cat(where, ": ", text)};
  }
}

void Exchange::finish() {
  if (code_ != CURLE_OK) return finish(error_of(code_));
  Answer answer;
  long status = 0, version = 0;
  ::curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  ::curl_easy_getinfo(easy_.get(), CURLINFO_HTTP_VERSION, &version);
  answer.status = static_cast<int>(status);
  answer.protocol = version == CURL_HTTP_VERSION_2_0 ? "HTTP/2" : version == CURL_HTTP_VERSION_1_1 ? "HTTP/1.1" : "HTTP/1.0";
  answer.body = std::move(body_);
  answer.took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - order_.posted);
  const auto done = std::move(order_.done);
  if (done) done(std::move(answer));
}

void Exchange::finish(picket::Error error) {
  const auto done = std::move(order_.done);
  if (done) done(fail(std::move(error)));
}

}  // namespace ksn_channel
