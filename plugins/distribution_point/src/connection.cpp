#include "connection.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace distribution_point {
namespace {

constexpr std::uint64_t kLeastOfBody = 8192;   // bytes a second, beyond the time for a request

}  // namespace

Connection::Connection(Worker& worker, asio::ip::tcp::socket socket, const picket::Address& from)
    : worker_(worker), socket_(std::move(socket)), from_(from), read_(worker.shared().read_bytes), sending_(worker, socket_, tls_, from_) {
  boost::system::error_code ignored;
  socket_.native_non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

Connection::~Connection() {
  // Only when the event loop itself is destroyed can it still be open.
  if (state_ != State::closed) worker_.shared().leave(from_);
}

void Connection::enter(State state, std::chrono::seconds limit) {
  state_ = state;
  deadline_ = worker_.now() + limit + std::chrono::seconds(1);  // now() may be a second old
}

void Connection::start(Worker::Members::iterator self, bool tls) {
  self_ = self;
  const auto& settings = worker_.shared().settings;
  if (!tls) {
    enter(State::idle, settings.head_timeout);  // who connects has something to ask
    read();
    return;
  }
  tls_ = worker_.shared().certificate->connection();
  if (!tls_ || ::SSL_set_fd(tls_.get(), socket_.native_handle()) != 1) return close();
  ::SSL_set_accept_state(tls_.get());
  enter(State::handshake, settings.head_timeout);
  wait_then(asio::ip::tcp::socket::wait_read, &Connection::handshake);
}

void Connection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  worker_.shared().leave(from_);
  worker_.remove(self_);
  if (pause_) pause_->cancel();
  boost::system::error_code ignored;
  socket_.close(ignored);
  sending_.end();
}

void Connection::close_if_idle() {
  char next = 0;
  if (state_ == State::idle && ::recv(socket_.native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT) < 0) close();
}

void Connection::check_deadline() {
  if (worker_.now() < deadline_) return;
  const auto& settings = worker_.shared().settings;
  if (state_ == State::sending && !pause_) {
    if (sending_.take_sent() >= settings.min_bytes_per_second * static_cast<std::uint64_t>(settings.send_timeout.count())) {
      deadline_ = worker_.now() + settings.send_timeout;
      return;
    }
  } else if ((state_ == State::head || state_ == State::body) && !tls_) {
    std::string out;
    answer_text(408, "text/plain", "the request takes too long\n", false, true, worker_.date(), out);
    (void)::send(socket_.native_handle(), out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  close();
}

void Connection::wait_then(asio::ip::tcp::socket::wait_type what, void (Connection::*next)()) {
  socket_.async_wait(what, [self = shared_from_this(), next](const boost::system::error_code& error) {
    if (self->state_ == State::closed) return;
    if (error) return self->close();
    ((*self).*next)();
  });
}

void Connection::wait_then(Io blocked, void (Connection::*next)()) {
  if (blocked == Io::over) return close();
  wait_then(blocked == Io::blocked_read ? asio::ip::tcp::socket::wait_read : asio::ip::tcp::socket::wait_write, next);
}

void Connection::handshake() {
  ::ERR_clear_error();
  const int result = ::SSL_do_handshake(tls_.get());
  if (result == 1) {
    enter(State::idle, worker_.shared().settings.head_timeout);
    return read_tls();
  }
  wait_then(Sending::tls_result(tls_, result), &Connection::handshake);
}

void Connection::read() {
  if (tls_) return wait_then(asio::ip::tcp::socket::wait_read, &Connection::read_tls);
  socket_.async_read_some(asio::buffer(read_.room(), read_.room_bytes()), [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
    if (self->state_ == State::closed) return;
    if (error) return self->close();
    self->got(bytes);
  });
}

void Connection::read_tls() {
  ::ERR_clear_error();
  const int result = ::SSL_read(tls_.get(), read_.room(), static_cast<int>(read_.room_bytes()));
  if (result > 0) return got(static_cast<std::size_t>(result));
  wait_then(Sending::tls_result(tls_, result), &Connection::read_tls);
}

void Connection::got(std::size_t bytes) {
  if (state_ == State::lingering) return linger();
  read_.add(bytes);
  if (state_ == State::idle) enter(State::head, worker_.shared().settings.head_timeout);
  work();
}

void Connection::work() {
  if (state_ == State::head) {
    const auto parsed = parse_request(read_.bytes(), request_);
    if (parsed.what == Parsed::What::bad) return refuse(parsed.status, parsed.why);
    if (parsed.what == Parsed::What::incomplete) {
      if (!read_.make_room(kMostHead + 1, ~std::uint64_t{0})) return refuse(431, "the head is too long");
    } else {
      head_bytes_ = parsed.head_bytes;
      enter(State::body, worker_.shared().settings.head_timeout + std::chrono::seconds(request_.body_bytes / kLeastOfBody));
    }
  }
  if (state_ == State::body) {
    const auto most = head_bytes_ + static_cast<std::size_t>(request_.body_bytes);
    if (read_.bytes().size() >= most) return answer();
    if (!read_.make_room(most, worker_.shared().settings.most_read)) return refuse(503, "too many long requests at once");
  }
  // TLS may hold more than was taken from it.
  if (tls_ && ::SSL_has_pending(tls_.get()) != 0) return read_tls();
  read();
}

void Connection::refuse(int status, std::string_view why) {
  worker_.shared().counters.requests.fetch_add(1, std::memory_order_relaxed);
  answer_text(status, "text/plain", picket::cat(why, "\n"), request_.method == Request::Method::head, true, worker_.date(), sending_.begin());
  close_after_ = true;
  read_.clear();
  enter(State::sending, worker_.shared().settings.send_timeout);
  send();
}

void Connection::answer() {
  auto& shared = worker_.shared();
  shared.counters.requests.fetch_add(1, std::memory_order_relaxed);
  auto& out = sending_.begin();
  request_.keep_alive = request_.keep_alive && !worker_.is_draining();
  close_after_ = !request_.keep_alive;
  const bool is_get = request_.method == Request::Method::get, is_head = request_.method == Request::Method::head;
  if (is_get || is_head) {
    // The next version may have published since what this one has never heard of. Between two requests a server may close: the client asks that one.
    if (has_answered_ && worker_.is_draining() && worker_.catalogue().find(request_.path) == nullptr) return close();
    const auto reply = answer_file(request_, worker_.catalogue(), worker_.date(), out);
    if (reply.status < 400 && shared.parts.on_file) shared.parts.on_file(from_);
    if (reply.entry != nullptr && reply.packed) {
      out.append(reply.entry->packed);
    } else if (reply.entry != nullptr && reply.length > 0) {
      auto file = worker_.open(*reply.entry);
      if (!file) {
        out.clear();
        answer_text(503, "text/plain", "this file cannot be opened now\n", false, close_after_, worker_.date(), out);
      } else if (!file->content.empty()) {
        out.append(file->content, static_cast<std::size_t>(reply.first), static_cast<std::size_t>(reply.length));
      } else {
        sending_.follow_with(std::move(file), reply.first, reply.length);
      }
    }
  } else if (request_.method == Request::Method::post && request_.path.starts_with("/v1/") && shared.parts.on_post) {
    const auto answered = shared.parts.on_post(from_, request_.path, read_.bytes().substr(head_bytes_, static_cast<std::size_t>(request_.body_bytes)));
    answer_text(answered.status, "application/json", answered.body, false, close_after_, worker_.date(), out);
  } else {
    answer_text(405, "text/plain", "only GET and HEAD\n", false, close_after_, worker_.date(), out);
  }
  read_.forget(head_bytes_ + static_cast<std::size_t>(request_.body_bytes));
  request_.range = request_.if_range = request_.if_none_match = request_.if_modified_since = {};
  enter(State::sending, shared.settings.send_timeout);
  send();
}

void Connection::send() {
  pause_.reset();
  switch (const Io io = sending_.go_on(); io) {
    case Io::done: return sent_all();
    case Io::paused: return pause_until(sending_.resumes_at());
    default: return wait_then(io, &Connection::send);
  }
}

void Connection::pause_until(std::chrono::steady_clock::time_point when) {
  pause_ = std::make_unique<asio::steady_timer>(worker_.io());
  pause_->expires_at(when);
  pause_->async_wait([self = shared_from_this()](const boost::system::error_code&) {
    if (self->state_ == State::closed) return;
    // Waiting for its share is not the client's fault.
    self->deadline_ = std::max(self->deadline_, self->worker_.now() + self->worker_.shared().settings.send_timeout);
    self->send();
  });
}

void Connection::sent_all() {
  has_answered_ = true;
  sending_.end();
  if (close_after_) {
    // Closing with unread bytes would reset the connection, and the client might lose the answer.
    boost::system::error_code ignored;
    if (tls_) (void)::SSL_shutdown(tls_.get());
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    enter(State::lingering, std::chrono::seconds(2));
    return linger();
  }
  if (!read_.bytes().empty()) {
    enter(State::head, worker_.shared().settings.head_timeout);
    // Not from within itself: a thousand requests in one packet must not be a thousand frames on the stack.
    asio::post(worker_.io(), [self = shared_from_this()] {
      if (self->state_ == State::head) self->work();
    });
    return;
  }
  enter(State::idle, worker_.shared().settings.idle_timeout);
  if (tls_ && ::SSL_has_pending(tls_.get()) != 0) return read_tls();
  read();
}

void Connection::linger() {
  char dropped[4096];
  for (int i = 0; i < 16; ++i) {
    const ssize_t got = ::recv(socket_.native_handle(), dropped, sizeof dropped, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return close();
    if (got < 0) break;
  }
  wait_then(asio::ip::tcp::socket::wait_read, &Connection::linger);
}

}  // namespace distribution_point
