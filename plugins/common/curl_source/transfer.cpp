#include "curl_source/transfer.hpp"

#include <algorithm>
#include <utility>

#include "curl_source/packed.hpp"
#include "curl_source/resolver.hpp"

namespace curl_source {
namespace {

constexpr std::size_t kBuffer = PICKET_BUS_MAX_PAYLOAD;
constexpr std::uint64_t kMostDiscarded = 65536;  // of an error page, to keep the connection
constexpr std::size_t kMostPacked = 16u << 20, kMostUnpacked = 64u << 20;  // metadata that are longer come as they are
constexpr std::size_t kMostNotes = 16;
constexpr std::chrono::milliseconds kFlushAfter(100);
constexpr std::chrono::milliseconds kRetryCredit(250);
constexpr std::uint32_t kConnectTimeoutMs = 10'000, kStallTimeoutMs = 30'000;

// Of an address: host without brackets, and port.
std::pair<std::string, std::string> host_and_port(const std::string& address) {
  const Url url(::curl_url());
  if (!url || ::curl_url_set(url.get(), CURLUPART_URL, address.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) return {};
  return {part_of(url.get(), CURLUPART_HOST), part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT)};
}

}  // namespace

Transfer::Transfer(Order order) : order_(std::move(order)) {}

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
  me.window_began_ = me.last_data_ = Clock::now();
  me.window_bytes_ = 0;
  return CURL_PREREQFUNC_OK;
}

Outcome<> Transfer::prepare() {
  easy_.reset(::curl_easy_init());  // here, where libcurl is initialised for certain
  if (!easy_) return failed(PICKET_E_INTERNAL, "libcurl gives no handle");
  begin_attempt();
  set_common_options();
  if (auto ready = begin(); !ready) return ready;
  if (bad_option_ != CURLE_OK) return failed(PICKET_E_INTERNAL, std::string("libcurl refuses an option: ") + ::curl_easy_strerror(bad_option_));
  return {};
}

void Transfer::set_common_options() {
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // a name lookup that hangs must not hold the thread when its transfer is cancelled
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(error_));
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_BUFFERSIZE, static_cast<long>(kBuffer));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_timeout().count()) + (watches_connecting() ? 2000 : 0));
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_data_c);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  set(CURLOPT_PREREQFUNCTION, &Transfer::on_connected_c);
  set(CURLOPT_PREREQDATA, static_cast<void*>(this));
  set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  if (order_.probe) set(CURLOPT_NOBODY, 1L);
}

std::chrono::milliseconds Transfer::connect_timeout() const {
  const auto asked = order_.request.connect_timeout_ms();
  return std::chrono::milliseconds(asked > 0 ? std::min<std::uint32_t>(asked, 600'000) : kConnectTimeoutMs);
}

void Transfer::use_resolver(Resolver& resolver) {
  resolver_ = &resolver;
  if (const auto& known = resolver.known(host_and_port(url_).first); !known.empty()) use_addresses(known);
}

void Transfer::use_addresses(const std::vector<std::string>& addresses) {
  const auto [host, port] = host_and_port(url_);
  looked_up_host_ = host;
  std::string list;
  for (const auto& address : addresses) list += (list.empty() ? "" : ",") + address;
  addresses_.reset(::curl_slist_append(nullptr, ("+" + host + ":" + port + ":" + list).c_str()));  // '+': for a minute, not for ever
  set(CURLOPT_RESOLVE, addresses_.get());
  note("the system's DNS cannot resolve " + host + ": its address " + list + " comes from the fallback resolvers (" + resolver_->names() + ")");
}

bool Transfer::must_look_up(CURLcode code) {
  if (resolver_ == nullptr || !resolver_->is_on() || connected_) return false;
  curl_off_t found_after = 0;
  ::curl_easy_getinfo(easy_.get(), CURLINFO_NAMELOOKUP_TIME_T, &found_after);
  // A resolver that does not answer at all looks like a timeout before the name was known.
  if (code != CURLE_COULDNT_RESOLVE_HOST && !(code == CURLE_OPERATION_TIMEDOUT && found_after == 0)) return false;
  auto host = host_and_port(url_).first;
  if (host.empty() || host == looked_up_host_ || is_ip_address(host)) return false;
  look_up_ = resolver_->ask(host);
  look_up_code_ = code;
  looked_up_host_ = std::move(host);
  return true;
}

Transfer::Step Transfer::looked_up() {
  const auto answer = std::exchange(look_up_, nullptr);
  if (!answer->addresses.empty()) {
    use_addresses(answer->addresses);
    begin_attempt();
    return Step::again;
  }
  refuse({PICKET_E_UNAVAILABLE, url_ + ": " + curl_text(look_up_code_) + "; the fallback resolvers (" + resolver_->names() + ") neither: " + answer->why});
  return once_more();
}

void Transfer::go_to(std::string address) {
  url_ = std::move(address);
  set(CURLOPT_URL, url_.c_str());
}

void Transfer::take_from(std::uint64_t offset, std::uint64_t size) {
  if (taken_ == 0) {
    offset_ = offset;
    size_ = size;
  }
  wanted_body_ = !order_.probe;
}

void Transfer::refuse(Failure failure) {
  have_failure_ = true;
  failure_ = std::move(failure);
}

void Transfer::note(std::string text) {
  order_.host.info("source '" + order_.request.source().name() + "': " + text);
  if (notes_.size() < kMostNotes) notes_.push_back(std::move(text));
}

bool Transfer::page_was_too_long() const { return discarded_ > kMostDiscarded; }

void Transfer::begin_attempt() {
  head_seen_ = wanted_body_ = body_began_ = have_failure_ = enough_ = false;
  connected_ = paused_ = ended_ = false;
  discarded_ = 0;
  error_[0] = '\0';
  packed_bytes_.clear();
  attempt_began_ = Clock::now();
}

std::size_t Transfer::on_data(std::string_view data) {
  if (!std::exchange(head_seen_, true)) look_at_head();
  if (have_failure_) return 0;
  window_bytes_ += data.size();
  last_data_ = Clock::now();
  if (!wanted_body_) {
    discarded_ += data.size();
    return discarded_ <= kMostDiscarded ? data.size() : 0;
  }
  body_began_ = true;
  if (answer().is_done()) return 0;
  if (packed_) {
    if (packed_bytes_.size() + data.size() > kMostPacked) return 0;
    packed_bytes_.append(data);
    return data.size();
  }
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

bool Transfer::unpack() {
  const auto wanted = order_.request.max_bytes();
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, kMostUnpacked));
  auto content = unpack_gzip(packed_bytes_, most);
  packed_bytes_ = {};
  if (!content || (content->size() == most && most < wanted)) return false;
  size_ = content->size() < wanted ? content->size() : 0;  // cut off at what is wanted, its length is not known
  taken_ = content->size();
  buffer_ = std::move(*content);
  sent_of_buffer_ = 0;
  return true;
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

bool Transfer::stalls(Clock::time_point now, Clock::time_point& again) {
  if (paused_ || ended_) return false;
  if (!connected_) {
    if (!watches_connecting()) return false;
    const auto last = attempt_began_ + connect_timeout();
    if (now >= last) refuse({PICKET_E_TIMEOUT, url_ + ": no connection within " + std::to_string(connect_timeout().count()) + " ms"});
    again = std::min(again, last);
    return now >= last;
  }
  const std::chrono::milliseconds stall(order_.request.stall_timeout_ms() > 0 ? order_.request.stall_timeout_ms() : kStallTimeoutMs);
  if (now - window_began_ >= stall) {
    const double seconds = std::chrono::duration<double>(now - window_began_).count();
    const std::uint32_t least = std::max<std::uint32_t>(order_.request.min_bytes_per_second(), 1);
    if (static_cast<double>(window_bytes_) < seconds * least) {
      refuse({PICKET_E_TIMEOUT, url_ + ": slower than " + std::to_string(least) + " bytes per second for " + std::to_string(stall.count()) + " ms"});
      return true;
    }
    window_began_ = now;
    window_bytes_ = 0;
  }
  // Not only at the window's end: whoever waits for us has a patience of its own, and another address may still help.
  if (now - last_data_ >= stall) {
    refuse({PICKET_E_TIMEOUT, url_ + ": nothing came for " + std::to_string(stall.count()) + " ms"});
    return true;
  }
  again = std::min({again, window_began_ + stall, last_data_ + stall});
  return false;
}

Transfer::Serviced Transfer::service(Clock::time_point now) {
  Serviced out{now + look_again()};
  if (answer().is_done()) return {out.until, Next::end};
  if (look_up_) {
    if (look_up_->is_over) out.next = looked_up() == Step::again ? Next::again : Next::end;
    return out;
  }
  if (buffered() > 0 && (paused_ || ended_ || now - last_flush_ >= kFlushAfter)) {
    // Stuck for credit: only a new grant, or some time, makes another attempt worth it.
    if (!(paused_ || ended_) || answer().grants() != grants_seen_ || now - last_flush_ >= kRetryCredit || buffered() == buffer_.size()) flush(now);
  }
  if (buffered() > 0) out.until = std::min(out.until, last_flush_ + (paused_ || ended_ ? kRetryCredit : kFlushAfter));
  if (paused_ && buffered() <= kBuffer / 2 && !ended_) {
    paused_ = false;
    window_began_ = last_data_ = now;
    window_bytes_ = 0;
    ::curl_easy_pause(easy_.get(), CURLPAUSE_CONT);  // may call on_data, which may pause again
  }
  if (stalls(now, out.until)) out.next = once_more() == Step::again ? Next::again : Next::end;
  else if (is_over()) out.next = Next::end;
  return out;
}

Transfer::Step Transfer::once_more() {
  if (!have_failure_ || answer().is_done() || !try_another(failure_)) return Step::done;
  begin_attempt();
  if (bad_option_ == CURLE_OK) return Step::again;
  refuse({PICKET_E_INTERNAL, std::string("libcurl refuses an option: ") + ::curl_easy_strerror(bad_option_)});
  ended_ = true;
  return Step::done;
}

Transfer::Step Transfer::ended(CURLcode code) {
  ended_ = true;
  paused_ = false;
  if (code == CURLE_OK && !std::exchange(head_seen_, true)) look_at_head();  // an empty body
  if (enough_) return Step::done;
  if (!have_failure_) {
    if (answer().is_done()) {
      refuse({PICKET_E_CANCELLED, "cancelled"});
    } else if (must_look_up(code)) {
      return Step::done;  // service goes on when the answer is there
    } else if (judge(code) == Step::again) {
      begin_attempt();
      return Step::again;
    }
  }
  return once_more();
}

void Transfer::fail(const Failure& failure) {
  // A number that the host understands, beside the text for people (source.proto).
  const std::string type = failure.retry_after_s > 0 ? "text/plain; retry-after=" + std::to_string(failure.retry_after_s) : std::string();
  answer().refuse(failure.status, failure.text, type);
}

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
  reply.set_point(point_);
  for (auto& text : notes_) reply.add_notes(std::move(text));
  answer().finish("application/x-protobuf; messageType=picket.source.v1.FetchReply", reply.SerializeAsString());
}

}  // namespace curl_source
