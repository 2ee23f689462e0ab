#include "transfer.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace source_http {
namespace {

constexpr std::size_t kBuffer = PICKET_BUS_MAX_PAYLOAD;
constexpr std::uint64_t kMostDiscarded = 65536;  // of an error page, to keep the connection
constexpr unsigned kMostRedirects = 3;
constexpr std::chrono::milliseconds kFlushAfter(100);
constexpr std::chrono::milliseconds kRetryCredit(250);
constexpr std::uint32_t kConnectTimeoutMs = 10'000, kStallTimeoutMs = 30'000;

bool is_redirect(long status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

}  // namespace

Transfer::Transfer(Order order) : order_(std::move(order)), easy_(::curl_easy_init()) {}

std::size_t Transfer::on_data_c(char* data, std::size_t size, std::size_t count, void* self) {
  try {
    return static_cast<Transfer*>(self)->on_data({data, size * count});
  } catch (...) {
    return 0;
  }
}

int Transfer::on_connected_c(void* self, char*, char*, int, int) {
  auto& me = *static_cast<Transfer*>(self);
  me.connected_ = true;
  me.window_began_ = Clock::now();
  me.window_bytes_ = 0;
  return CURL_PREREQFUNC_OK;
}

Outcome<> Transfer::prepare() {
  if (!easy_) return failed(PICKET_E_INTERNAL, "libcurl gives no handle");
  auto address = address_of(order_.target, order_.request.path());
  if (!address) return tl::unexpected(address.error());
  url_ = std::move(*address);
  // libcurl would say so only after it has connected, and in fewer words.
  for (const auto& [option, path] : {std::pair("ca_file", &order_.target.ca_file), {"client_certificate", &order_.target.client_certificate}, {"client_key", &order_.target.client_key}})
    if (!path->empty() && ::access(path->c_str(), R_OK) != 0)
      return failed(PICKET_E_INVALID, "source '" + order_.target.name + "': option " + option + ": " + *path + " cannot be read");
  begin_attempt();
  return set_options();
}

Outcome<> Transfer::set_options() {
  CURL* const easy = easy_.get();
  CURLcode bad = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    const CURLcode code = ::curl_easy_setopt(easy, option, value);
    if (bad == CURLE_OK) bad = code;
  };
  const auto& request = order_.request;
  const auto& target = order_.target;
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // a name lookup that hangs must not hold the thread when its transfer is cancelled
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_));
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PATH_AS_IS, 1L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  set(CURLOPT_USERAGENT, "Picket/" PICKET_PLUGIN_VERSION);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_BUFFERSIZE, static_cast<long>(kBuffer));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout_ms() > 0 ? std::min<std::uint32_t>(request.connect_timeout_ms(), 600'000) : kConnectTimeoutMs));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_data_c);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_PREREQFUNCTION, &Transfer::on_connected_c);
  set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  headers_.reset(::curl_slist_append(nullptr, "Accept-Encoding: identity"));
  set(CURLOPT_HTTPHEADER, headers_.get());

  if (!target.proxy.system) {
    set(CURLOPT_PROXY, target.proxy.url.c_str());  // empty: none, whatever the environment says
    set(CURLOPT_NOPROXY, "");
  }
  if (!target.proxy.user.empty() || !target.proxy.password.empty()) {
    set(CURLOPT_PROXYUSERNAME, target.proxy.user.c_str());
    set(CURLOPT_PROXYPASSWORD, target.proxy.password.c_str());
    set(CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_ANY));
  }
  if (!target.ca_file.empty()) {
    set(CURLOPT_CAINFO, target.ca_file.c_str());
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));  // this file only
    set(CURLOPT_PROXY_CAINFO, target.ca_file.c_str());
  }
  if (!target.client_certificate.empty()) {
    set(CURLOPT_SSLCERT, target.client_certificate.c_str());
    set(CURLOPT_SSLKEY, target.client_key.c_str());
    // Also when empty: libcurl would otherwise let OpenSSL ask on the terminal.
    set(CURLOPT_KEYPASSWD, target.client_key_password.c_str());
  }
  if (!target.user.empty() || !target.password.empty()) {
    set(CURLOPT_USERNAME, target.user.c_str());
    set(CURLOPT_PASSWORD, target.password.c_str());
    set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
  }
  if (order_.probe) set(CURLOPT_NOBODY, 1L);
  if (request.offset() > 0) {
    const std::uint64_t last = request.offset() + std::max<std::uint64_t>(request.max_bytes(), 1) - 1;
    std::string range = std::to_string(request.offset()) + "-";
    if (last > request.offset() && last < (std::uint64_t{1} << 62)) range += std::to_string(last);
    set(CURLOPT_RANGE, range.c_str());
  }
  set(CURLOPT_URL, url_.c_str());
  if (bad != CURLE_OK) return failed(PICKET_E_INTERNAL, std::string("libcurl refuses an option: ") + ::curl_easy_strerror(bad));
  return {};
}

void Transfer::begin_attempt() {
  head_seen_ = wanted_body_ = body_began_ = have_failure_ = enough_ = false;
  connected_ = paused_ = ended_ = false;
  discarded_ = 0;
  error_[0] = '\0';
}

std::string Transfer::header(const char* name) const {
  curl_header* found = nullptr;
  if (::curl_easy_header(easy_.get(), name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK) return {};
  return found->value;
}

bool Transfer::look_at_head() {
  head_seen_ = true;
  long status = 0;
  ::curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200 && status != 206) return true;  // an error page: ended() judges it
  const auto refuse = [&](const std::string& why) {
    have_failure_ = true;
    failure_ = {PICKET_E_IO, url_ + ": " + why};
    return false;
  };
  const std::string coding = header("Content-Encoding");
  if (!coding.empty() && coding != "identity") return refuse("the server sends it with Content-Encoding " + coding.substr(0, 40) + ", which was not asked for");
  curl_off_t length = -1;
  ::curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (status == 206) {
    ContentRange range;
    if (order_.request.offset() == 0 || !parse_content_range(header("Content-Range"), range) || !range.has_first || range.first != order_.request.offset())
      return refuse("the server sends another part of the file than was asked for");
    offset_ = range.first;
    size_ = range.has_total ? range.total : 0;
  } else {
    offset_ = 0;  // also when asked to resume: this server cannot, so the file begins anew
    size_ = length >= 0 ? static_cast<std::uint64_t>(length) : 0;
  }
  wanted_body_ = !order_.probe;
  return true;
}

std::size_t Transfer::on_data(std::string_view data) {
  if (!head_seen_ && !look_at_head()) return 0;
  window_bytes_ += data.size();
  if (!wanted_body_) {
    discarded_ += data.size();
    return discarded_ <= kMostDiscarded ? data.size() : 0;
  }
  body_began_ = true;
  if (answer().is_done()) return 0;
  const std::uint64_t left = order_.request.max_bytes() - taken_;
  const std::string_view part = data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, data.size())));
  if (buffered() + part.size() > kBuffer) {
    flush(Clock::now());
    if (buffered() + part.size() > kBuffer) {
      paused_ = true;  // libcurl keeps the data and brings it again
      window_bytes_ -= data.size();
      return CURL_WRITEFUNC_PAUSE;
    }
  }
  if (sent_of_buffer_ > 0) {
    buffer_.erase(0, sent_of_buffer_);
    sent_of_buffer_ = 0;
  }
  if (buffer_.capacity() < kBuffer) buffer_.reserve(kBuffer);
  buffer_.append(part);
  taken_ += part.size();
  if (buffer_.size() == kBuffer) flush(Clock::now());
  // At the limit: end at once, unless the response ends here too, which keeps the connection.
  enough_ = taken_ == order_.request.max_bytes() && (part.size() < data.size() || size_ == 0 || offset_ + taken_ < size_);
  const bool bounded_range = offset_ > 0 && part.size() == data.size();
  return enough_ && !bounded_range ? 0 : data.size();
}

void Transfer::flush(Clock::time_point now) {
  if (buffered() == 0) return;
  grants_seen_ = answer().grants();
  const auto taken = answer().offer(std::string_view(buffer_).substr(sent_of_buffer_));
  sent_of_buffer_ += taken.bytes;
  last_flush_ = now;
  if (taken.status != PICKET_OK && taken.status != PICKET_E_BUSY) sent_of_buffer_ = buffer_.size();  // nobody waits: the loop drops us
  if (buffered() == 0) {
    buffer_.clear();
    sent_of_buffer_ = 0;
  }
}

Clock::time_point Transfer::service(Clock::time_point now, bool& go_on) {
  go_on = !answer().is_done();
  auto again = now + std::chrono::seconds(10);
  if (!go_on) return again;
  if (buffered() > 0 && (paused_ || ended_ || now - last_flush_ >= kFlushAfter)) {
    // Stuck for credit: only a new grant, or some time, makes another attempt worth it.
    if (!(paused_ || ended_) || answer().grants() != grants_seen_ || now - last_flush_ >= kRetryCredit || buffered() == buffer_.size()) flush(now);
  }
  if (buffered() > 0) again = std::min(again, last_flush_ + (paused_ || ended_ ? kRetryCredit : kFlushAfter));
  if (paused_ && buffered() <= kBuffer / 2 && !ended_) {
    paused_ = false;
    window_began_ = now;
    window_bytes_ = 0;
    ::curl_easy_pause(easy_.get(), CURLPAUSE_CONT);  // may call on_data, which may pause again
  }
  if (connected_ && !paused_ && !ended_) {
    const std::chrono::milliseconds stall(order_.request.stall_timeout_ms() > 0 ? order_.request.stall_timeout_ms() : kStallTimeoutMs);
    if (now - window_began_ >= stall) {
      const double seconds = std::chrono::duration<double>(now - window_began_).count();
      const std::uint32_t least = std::max<std::uint32_t>(order_.request.min_bytes_per_second(), 1);
      if (static_cast<double>(window_bytes_) < seconds * least) {
        have_failure_ = true;
        failure_ = {PICKET_E_TIMEOUT, url_ + ": slower than " + std::to_string(least) + " bytes per second for " + std::to_string(stall.count()) + " ms"};
        go_on = false;
        return again;
      }
      window_began_ = now;
      window_bytes_ = 0;
    }
    again = std::min(again, window_began_ + stall);
  }
  return again;
}

Transfer::Step Transfer::ended(CURLcode code) {
  ended_ = true;
  paused_ = false;
  if (!head_seen_ && code == CURLE_OK && !look_at_head()) return Step::done;  // an empty body
  if (have_failure_ || enough_) return Step::done;
  if (answer().is_done()) {
    have_failure_ = true;
    failure_ = {PICKET_E_CANCELLED, "cancelled"};
    return Step::done;
  }
  long status = 0;
  ::curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  const bool too_long_a_page = code == CURLE_WRITE_ERROR && discarded_ > kMostDiscarded;
  if (code != CURLE_OK && !too_long_a_page) {
    have_failure_ = true;
    failure_ = failure_of(code, url_, error_, body_began_);
    return Step::done;
  }
  if (is_redirect(status)) {
    char* to = nullptr;
    ::curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_URL, &to);
    const std::string next = to != nullptr ? to : "";
    have_failure_ = true;
    if (next.empty() || !may_redirect(url_, next)) {
      failure_ = {PICKET_E_UNAVAILABLE, url_ + ": the server sends to another host (a login page of the network?): not followed"};
      return Step::done;
    }
    if (++redirects_ > kMostRedirects) {
      failure_ = {PICKET_E_UNAVAILABLE, url_ + ": redirected more than " + std::to_string(kMostRedirects) + " times"};
      return Step::done;
    }
    url_ = next;
    begin_attempt();
    ::curl_easy_setopt(easy_.get(), CURLOPT_URL, url_.c_str());
    return Step::again;
  }
  if (status == 200 || status == 206) return Step::done;
  if (order_.probe && (status == 405 || status == 501)) return Step::done;  // it answers, only not to HEAD
  have_failure_ = true;
  if (status == 416 && order_.request.offset() > 0) {
    ContentRange range;
    const bool known = parse_content_range(header("Content-Range"), range) && range.has_total;
    if (known && range.total == order_.request.offset()) {
      have_failure_ = false;  // nothing is left to send
      offset_ = size_ = range.total;
      return Step::done;
    }
    failure_ = {PICKET_E_IO, known ? url_ + " has only " + std::to_string(range.total) + " bytes, fewer than the " + std::to_string(order_.request.offset()) + " already here"
                                   : url_ + ": the server does not resume at " + std::to_string(order_.request.offset())};
    return Step::done;
  }
  curl_off_t retry_after = 0;
  ::curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &retry_after);
  failure_ = failure_of_status(status, url_, retry_after);
  return Step::done;
}

void Transfer::fail(Failure failure) { answer().refuse(failure.status, failure.text); }

void Transfer::finish() {
  if (have_failure_) return fail(failure_);
  if (order_.probe) {
    picket::source::v1::ProbeReply reply;
    reply.set_elapsed_ms(static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_).count()));
    answer().finish("application/x-protobuf; messageType=picket.source.v1.ProbeReply", reply.SerializeAsString());
    return;
  }
  picket::source::v1::FetchReply reply;
  reply.set_sent(taken_);
  reply.set_offset(offset_);
  reply.set_size(size_);
  reply.set_from(url_);
  answer().finish("application/x-protobuf; messageType=picket.source.v1.FetchReply", reply.SerializeAsString());
}

}  // namespace source_http
