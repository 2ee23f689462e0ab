#include "ksn_server/connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "ksn_server/loop.hpp"

namespace ksn_server {
namespace {

constexpr std::int64_t kFarewellMs = 300;  // for a request that was sent before its sender could know
// What a client sends first that speaks HTTP/2 without being asked (RFC 9113 3.4).
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// OpenSSL writes record by record; while this lives, what they fill leaves together: to send once costs the kernel less than three times.
class Together {
 public:
  explicit Together(int socket) : socket_(socket) { cork(1); }
  ~Together() { cork(0); }
  Together(const Together&) = delete;
  Together& operator=(const Together&) = delete;

 private:
  void cork(int on) const { ::setsockopt(socket_, IPPROTO_TCP, TCP_CORK, &on, sizeof on); }
  const int socket_;
};

}  // namespace

Connection::Connection(Loop& loop, std::uint64_t id, picket::UniqueFd socket, std::string peer, Budget& budget)
    : loop_(loop), id_(id), socket_(std::move(socket)), peer_(std::move(peer)), budget_(budget), quiet_since_(loop.now_ms()) {
  if (const auto& certificate = loop_.shared().certificate) {
    tls_ = certificate->connection();
    if (!tls_ || ::SSL_set_fd(tls_.get(), socket_.get()) != 1) throw std::bad_alloc();
    ::SSL_set_accept_state(tls_.get());
    shaking_ = true;
  }
  loop_.watch(socket_.get(), id_, watched_ = EPOLLIN, true);
}

Connection::~Connection() {
  protocol_.reset();  // what it holds is the peer's, whom leave() may forget
  loop_.shared().leave(peer_);
}

std::string_view Connection::date() const { return loop_.date(); }
std::int64_t Connection::now_ms() const { return loop_.now_ms(); }

void Connection::watch(std::uint32_t events) {
  if (events == watched_) return;
  watched_ = events;
  loop_.watch(socket_.get(), id_, events, false);
}

Connection::Io Connection::tls_says(int result) {
  switch (::SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ: tls_wants_write_ = false; return Io::blocked;
    case SSL_ERROR_WANT_WRITE: tls_wants_write_ = true; return Io::blocked;
    default: ::ERR_clear_error(); return Io::over;
  }
}

bool Connection::handshake() {
  ::ERR_clear_error();
  const int result = ::SSL_do_handshake(tls_.get());
  if (result != 1) {
    if (tls_says(result) == Io::over) {
      loop_.shared().broken_off.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    watch(tls_wants_write_ ? EPOLLOUT : EPOLLIN);
    return true;
  }
  shaking_ = false;
  quiet_since_ = loop_.now_ms();
  watch(EPOLLIN);
  const unsigned char* name = nullptr;
  unsigned size = 0;
  ::SSL_get0_alpn_selected(tls_.get(), &name, &size);
  protocol_ = size == 2 ? make_http2(*this, budget_) : make_http1(*this, budget_);
  // HTTP/2's server speaks first; and the client's first request may have come with the end of the handshake.
  got_all_ = false;
  return carry_on();
}

void Connection::choose_protocol(std::string_view bytes) {
  first_.append(bytes);
  const auto common = std::min(first_.size(), kPreface.size());
  const bool looks_like_2 = std::string_view(first_).substr(0, common) == kPreface.substr(0, common);
  if (looks_like_2 && common < kPreface.size()) return;
  protocol_ = looks_like_2 ? make_http2(*this, budget_) : make_http1(*this, budget_);
  protocol_->feed(std::exchange(first_, {}));
}

bool Connection::on_ready(std::uint32_t events) {
  if (shaking_) return handshake();
  if ((events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0) return false;
  if ((events & EPOLLOUT) != 0) {
    if (!carry_on()) return false;
    if (blocked_since_ != 0 || ((events & EPOLLIN) == 0 && !has_undelivered())) return true;
  }
  if (protocol_ && !protocol_->takes_more()) return carry_on();
  return read_some();
}

bool Connection::has_undelivered() const { return tls_ && !got_all_ && protocol_ && protocol_->takes_more() && ::SSL_has_pending(tls_.get()) != 0; }

bool Connection::read_some() {
  // Then the others have their turn.
  for (int round = 0; round < 8; ++round) {
    std::size_t size = 0;
    if (tls_) {
      ::ERR_clear_error();
      const int result = ::SSL_read(tls_.get(), loop_.scratch(), Loop::kScratch);
      got_all_ = result <= 0;
      if (result <= 0) {
        if (tls_says(result) == Io::over) return false;
        watch(tls_wants_write_ ? EPOLLIN | EPOLLOUT : EPOLLIN);
        break;
      }
      size = static_cast<std::size_t>(result);
    } else {
      const auto result = ::recv(socket_.get(), loop_.scratch(), Loop::kScratch, MSG_DONTWAIT);
      if (result == 0 || (result < 0 && errno != EAGAIN && errno != EINTR)) return false;
      if (result < 0) break;
      size = static_cast<std::size_t>(result);
    }
    loop_.shared().bytes_in.fetch_add(size, std::memory_order_relaxed);
    quiet_since_ = loop_.now_ms();
    const std::string_view bytes(loop_.scratch(), size);
    if (protocol_) {
      auto& out = protocol_->out();
      if (out.capacity() < 64) out.swap(loop_.spare);
      protocol_->feed(bytes);
    } else {
      choose_protocol(bytes);
    }
    if (!carry_on()) return false;
    if (blocked_since_ != 0 || !has_undelivered()) break;
  }
  return true;
}

// Sends what there is, lets the protocol go on, until nothing moves.
bool Connection::carry_on() {
  if (!protocol_) return true;
  for (;;) {
    if (!protocol_->out().empty()) {
      switch (flush()) {
        case Io::over: return false;
        case Io::blocked:
          if (blocked_since_ == 0) blocked_since_ = loop_.now_ms();
          watch(tls_ && !tls_wants_write_ ? EPOLLIN : EPOLLOUT);
          return true;
        case Io::done: break;
      }
      blocked_since_ = 0;
    }
    if (protocol_->is_over()) {
      if (protocol_->is_broken()) loop_.shared().broken_off.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    protocol_->go_on();
    if (protocol_->out().empty() && !protocol_->is_over()) break;
  }
  // What OpenSSL has read already, epoll does not tell: a socket that can be written to comes back at once.
  watch(!protocol_->takes_more() ? 0u : has_undelivered() ? std::uint32_t{EPOLLIN | EPOLLOUT} : std::uint32_t{EPOLLIN});
  return true;
}

Connection::Io Connection::flush() {
  auto& out = protocol_->out();
  std::optional<Together> together;
  if (tls_ && out.size() - sent_ > SSL3_RT_MAX_PLAIN_LENGTH) together.emplace(socket_.get());
  while (sent_ < out.size()) {
    const std::string_view rest = std::string_view(out).substr(sent_);
    if (tls_) {
      ::ERR_clear_error();
      const int result = ::SSL_write(tls_.get(), rest.data(), static_cast<int>(std::min<std::size_t>(rest.size(), 1u << 20)));
      if (result <= 0) return tls_says(result);
      sent_ += static_cast<std::size_t>(result);
    } else {
      const auto result = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (result < 0) return errno == EAGAIN || errno == EINTR ? Io::blocked : Io::over;
      sent_ += static_cast<std::size_t>(result);
    }
  }
  loop_.shared().bytes_out.fetch_add(sent_, std::memory_order_relaxed);
  quiet_since_ = loop_.now_ms();
  sent_ = 0;
  out.clear();
  tls_wants_write_ = false;
  // An idle connection keeps no buffer.
  if (out.capacity() > loop_.spare.capacity() && out.capacity() <= (4u << 20)) {
    out.swap(loop_.spare);
    std::string().swap(out);
  } else if (out.capacity() > 64) {
    std::string().swap(out);
  }
  return Io::done;
}

void Connection::on_post(std::uint32_t stream, std::string_view path, std::string_view body) {
  at_hand_ = stream;
  loop_.at_work = this;
  try {
    loop_.shared().handler({path, body, peer_}, Reply(loop_.inbox(), id_, stream));
  } catch (const std::exception&) {
    // Its Reply was dropped on the way out, which answers 503.
  }
  loop_.at_work = nullptr;
  at_hand_ = 0;
}

bool Connection::answer_at_once(std::uint32_t stream, int status, std::string& body) {
  if (stream != at_hand_) return false;
  protocol_->answer(stream, status, std::move(body));
  return true;
}

bool Connection::on_answer(std::uint32_t stream, int status, std::string body) {
  if (!protocol_) return false;
  protocol_->answer(stream, status, std::move(body));
  return blocked_since_ != 0 || carry_on();
}

bool Connection::finish() {
  char next = 0;
  const bool is_coming = ::recv(socket_.get(), &next, 1, MSG_PEEK | MSG_DONTWAIT) > 0;  // what it sent is looked at first
  if (shaking_ || is_coming || has_undelivered()) return true;
  // A request may be on its way: it is answered, as the last one. Who asks nothing is let go.
  if (farewell_since_ == 0) farewell_since_ = loop_.now_ms();
  const bool is_silent = loop_.now_ms() - farewell_since_ >= kFarewellMs;
  if (!protocol_) return !is_silent || !first_.empty();
  protocol_->finish(is_silent);
  return blocked_since_ != 0 || carry_on();
}

bool Connection::page(std::string_view path, std::string& out) {
  const auto& make = loop_.shared().settings.page;
  if (!make) return false;
  out = make(path);
  return !out.empty();
}

bool Connection::is_in_time() {
  const auto& settings = loop_.shared().settings;
  const auto now = loop_.now_ms();
  const auto longer = [now](std::int64_t since, std::chrono::milliseconds limit) { return since != 0 && now - since > limit.count(); };
  bool slow = false;
  if (!protocol_) {
    slow = longer(quiet_since_, settings.request_timeout);  // the handshake too: quiet_since_ is its beginning
  } else if (blocked_since_ != 0) {
    slow = longer(blocked_since_, settings.send_timeout);
  } else if (longer(protocol_->receiving_since(), settings.request_timeout) || longer(protocol_->sending_since(), settings.send_timeout)) {
    slow = true;
  } else if (!protocol_->is_answering() && longer(quiet_since_, settings.idle)) {
    return false;  // idle, which is no fault
  }
  if (slow) loop_.shared().broken_off.fetch_add(1, std::memory_order_relaxed);
  return !slow;
}

}  // namespace ksn_server
