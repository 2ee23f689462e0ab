#include "connection.hpp"

#include <openssl/err.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace distribution_point {
namespace {

constexpr std::size_t kTlsRecord = 16'384;
constexpr std::uint64_t kLeastOfBody = 8192;   // bytes a second, beyond the time for a request
constexpr std::uint64_t kTurn = 2u << 20;   // bytes for one connection before the others have their turn

}  // namespace

Connection::Connection(Worker& worker, asio::ip::tcp::socket socket, const picket::Address& from) : worker_(worker), socket_(std::move(socket)), from_(from) {
  boost::system::error_code ignored;
  socket_.native_non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

Connection::~Connection() {
  // Only when the event loop itself is destroyed can it still be open.
  if (state_ != State::closed) worker_.shared().leave(from_);
  use_large({});
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
  file_.reset();
}

void Connection::close_if_idle() {
  char next = 0;
  if (state_ == State::idle && ::recv(socket_.native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT) < 0) close();
}

void Connection::check_deadline() {
  if (worker_.now() < deadline_) return;
  const auto& settings = worker_.shared().settings;
  if (state_ == State::sending && !pause_) {
    if (window_sent_ >= settings.min_bytes_per_second * static_cast<std::uint64_t>(settings.send_timeout.count())) {
      window_sent_ = 0;
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

Connection::Io Connection::tls_result(int result) {
  switch (::SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ: return Io::blocked_read;
    case SSL_ERROR_WANT_WRITE: return Io::blocked_write;
    default: ::ERR_clear_error(); return Io::over;
  }
}

void Connection::handshake() {
  ::ERR_clear_error();
  const int result = ::SSL_do_handshake(tls_.get());
  if (result == 1) {
    enter(State::idle, worker_.shared().settings.head_timeout);
    return read_tls();
  }
  switch (tls_result(result)) {
    case Io::blocked_read: return wait_then(asio::ip::tcp::socket::wait_read, &Connection::handshake);
    case Io::blocked_write: return wait_then(asio::ip::tcp::socket::wait_write, &Connection::handshake);
    default: return close();
  }
}

bool Connection::make_room() {
  if (have_ < capacity()) return true;
  const std::size_t most = state_ == State::body ? head_bytes_ + static_cast<std::size_t>(request_.body_bytes) : kMostHead + 1;
  // By and by: who only says that much will come gets no room for it.
  const std::size_t size = std::min(most, 4 * capacity());
  if (size <= capacity() || (state_ == State::body && worker_.shared().read_bytes + size > worker_.shared().settings.most_read)) return false;
  std::vector<char> larger(size);
  std::memcpy(larger.data(), buffer(), have_);
  use_large(std::move(larger));
  return true;
}

void Connection::use_large(std::vector<char> buffer) {
  worker_.shared().read_bytes += buffer.size() - large_.size();
  large_ = std::move(buffer);
}

void Connection::forget_read(std::size_t bytes) {
  have_ -= bytes;
  std::memmove(buffer(), buffer() + bytes, have_);
  if (!large_.empty() && have_ <= small_.size()) {
    std::memcpy(small_.data(), large_.data(), have_);
    use_large({});
  }
}

void Connection::read() {
  if (tls_) return wait_then(asio::ip::tcp::socket::wait_read, &Connection::read_tls);
  socket_.async_read_some(asio::buffer(buffer() + have_, capacity() - have_), [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
    if (self->state_ == State::closed) return;
    if (error) return self->close();
    self->got(bytes);
  });
}

void Connection::read_tls() {
  ::ERR_clear_error();
  const int result = ::SSL_read(tls_.get(), buffer() + have_, static_cast<int>(capacity() - have_));
  if (result > 0) return got(static_cast<std::size_t>(result));
  switch (tls_result(result)) {
    case Io::blocked_read: return wait_then(asio::ip::tcp::socket::wait_read, &Connection::read_tls);
    case Io::blocked_write: return wait_then(asio::ip::tcp::socket::wait_write, &Connection::read_tls);
    default: return close();
  }
}

void Connection::got(std::size_t bytes) {
  if (state_ == State::lingering) return linger();
  have_ += bytes;
  if (state_ == State::idle) enter(State::head, worker_.shared().settings.head_timeout);
  work();
}

void Connection::work() {
  if (state_ == State::head) {
    const auto parsed = parse_request({buffer(), have_}, request_);
    if (parsed.what == Parsed::What::bad) return refuse(parsed.status, parsed.why);
    if (parsed.what == Parsed::What::incomplete) {
      if (!make_room()) return refuse(431, "the head is too long");
    } else {
      head_bytes_ = parsed.head_bytes;
      enter(State::body, worker_.shared().settings.head_timeout + std::chrono::seconds(request_.body_bytes / kLeastOfBody));
    }
  }
  if (state_ == State::body) {
    if (have_ >= head_bytes_ + request_.body_bytes) return answer();
    if (!make_room()) return refuse(503, "too many long requests at once");
  }
  // TLS may hold more than was taken from it.
  if (tls_ && ::SSL_has_pending(tls_.get()) != 0) return read_tls();
  read();
}

void Connection::refuse(int status, std::string_view why) {
  worker_.shared().counters.requests.fetch_add(1, std::memory_order_relaxed);
  out_.clear();
  answer_text(status, "text/plain", picket::cat(why, "\n"), request_.method == Request::Method::head, true, worker_.date(), out_);
  close_after_ = true;
  file_left_ = 0;
  have_ = 0;
  use_large({});
  out_at_ = 0;
  window_sent_ = 0;
  enter(State::sending, worker_.shared().settings.send_timeout);
  write();
}

void Connection::answer() {
  auto& shared = worker_.shared();
  shared.counters.requests.fetch_add(1, std::memory_order_relaxed);
  out_.clear();
  out_at_ = 0;
  file_left_ = 0;
  window_sent_ = 0;
  request_.keep_alive = request_.keep_alive && !worker_.is_draining();
  close_after_ = !request_.keep_alive;
  const bool is_get = request_.method == Request::Method::get, is_head = request_.method == Request::Method::head;
  if (is_get || is_head) {
    // The next version may have published since what this one has never heard of. Between two requests a server may close: the client asks that one.
    if (has_answered_ && worker_.is_draining() && worker_.catalogue().find(request_.path) == nullptr) return close();
    const auto reply = answer_file(request_, worker_.catalogue(), worker_.date(), out_);
    if (reply.status < 400 && shared.parts.on_file) shared.parts.on_file(from_);
    if (reply.entry != nullptr && reply.packed) {
      out_.append(reply.entry->packed);
    } else if (reply.entry != nullptr && reply.length > 0) {
      file_ = worker_.open(*reply.entry);
      if (!file_) {
        out_.clear();
        answer_text(503, "text/plain", "this file cannot be opened now\n", false, close_after_, worker_.date(), out_);
      } else if (!file_->content.empty()) {
        out_.append(file_->content, static_cast<std::size_t>(reply.first), static_cast<std::size_t>(reply.length));
        file_.reset();
      } else {
        file_at_ = reply.first;
        file_left_ = reply.length;
        is_bulk_ = file_left_ >= shared.settings.bulk_bytes && shared.bandwidth.has_rules();
        choose_rule();
      }
    }
  } else if (request_.method == Request::Method::post && request_.path.starts_with("/v1/") && shared.parts.on_post) {
    const auto answered = shared.parts.on_post(from_, request_.path, {buffer() + head_bytes_, static_cast<std::size_t>(request_.body_bytes)});
    answer_text(answered.status, "application/json", answered.body, false, close_after_, worker_.date(), out_);
  } else {
    answer_text(405, "text/plain", "only GET and HEAD\n", false, close_after_, worker_.date(), out_);
  }
  forget_read(head_bytes_ + static_cast<std::size_t>(request_.body_bytes));
  request_.range = request_.if_range = request_.if_none_match = request_.if_modified_since = {};
  enter(State::sending, shared.settings.send_timeout);
  write();
}

Connection::Io Connection::send(const char* data, std::size_t size, bool more, std::size_t& sent) {
  if (tls_) {
    ::ERR_clear_error();
    const int result = ::SSL_write(tls_.get(), data, static_cast<int>(size));
    if (result <= 0) {
      pending_record_ = size;
      return tls_result(result);
    }
    pending_record_ = 0;
    sent = static_cast<std::size_t>(result);
  } else {
    const ssize_t result = ::send(socket_.native_handle(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    if (result < 0) return errno == EAGAIN || errno == EINTR ? Io::blocked_write : Io::over;
    sent = static_cast<std::size_t>(result);
  }
  window_sent_ += sent;
  worker_.shared().counters.sent_bytes.fetch_add(sent, std::memory_order_relaxed);
  return Io::done;
}

// What does not fit now is read from the file again: it is in the page cache, and a buffer for each connection would be more.
Connection::Io Connection::send_records(const char* data, std::size_t size, std::size_t& sent) {
  while (sent < size) {
    std::size_t taken = 0;
    if (const Io io = send(data + sent, std::min(size - sent, kTlsRecord), false, taken); io != Io::done) return io;
    sent += taken;
  }
  return Io::done;
}

Connection::Io Connection::write_out() {
  while (out_at_ < out_.size()) {
    std::size_t sent = 0;
    if (const Io io = send(out_.data() + out_at_, out_.size() - out_at_, file_left_ > 0, sent); io != Io::done) return io;
    out_at_ += sent;
  }
  return Io::done;
}

void Connection::choose_rule() {
  chosen_at_ = {worker_.day(), worker_.minute()};
  slowed_by_ = is_bulk_ ? worker_.shared().bandwidth.rule_for(from_, chosen_at_.first, chosen_at_.second) : std::nullopt;
}

Connection::Io Connection::write_file() {
  auto& bandwidth = worker_.shared().bandwidth;
  if (is_bulk_ && chosen_at_ != std::pair(worker_.day(), worker_.minute())) choose_rule();
  for (std::uint64_t turn = 0; file_left_ > 0;) {
    if (turn >= kTurn) return Io::blocked_write;  // the others first; the socket may be ready again at once
    std::uint64_t may = std::min<std::uint64_t>(file_left_, tls_ ? Worker::kScratch : kTurn);
    // OpenSSL wants the record that it could not send again, and no less of it: that one is not asked for its share once more.
    const bool owed = tls_ && pending_record_ > 0;
    if (owed) may = std::min<std::uint64_t>(may, pending_record_);
    if (slowed_by_ && !owed) {
      std::chrono::steady_clock::time_point later;
      may = bandwidth.take(*slowed_by_, may, std::chrono::steady_clock::now(), later);
      if (may == 0) {
        pause_until(later);
        return Io::blocked_read;  // pause_until goes on; nothing else is waited for
      }
    }
    std::size_t sent = 0;
    Io io = Io::done;
    if (tls_) {
      const ssize_t got = ::pread(file_->fd.get(), worker_.scratch(), static_cast<std::size_t>(may), static_cast<off_t>(file_at_));
      io = got > 0 ? send_records(worker_.scratch(), static_cast<std::size_t>(got), sent) : Io::over;
    } else {
      auto at = static_cast<off_t>(file_at_);
      const ssize_t result = ::sendfile(socket_.native_handle(), file_->fd.get(), &at, static_cast<std::size_t>(may));
      if (result > 0) {
        sent = static_cast<std::size_t>(result);
        window_sent_ += sent;
        worker_.shared().counters.sent_bytes.fetch_add(sent, std::memory_order_relaxed);
      } else {
        io = result < 0 && (errno == EAGAIN || errno == EINTR) ? Io::blocked_write : Io::over;  // 0: the file became shorter
      }
    }
    if (slowed_by_ && !owed && sent < may) bandwidth.give_back(*slowed_by_, may - sent);
    file_at_ += sent;
    file_left_ -= sent;
    turn += sent;
    if (io != Io::done) return io;
    if (!tls_ && sent < may) return Io::blocked_write;  // the socket is full: another call would only say so
  }
  return Io::done;
}

void Connection::write() {
  pause_.reset();
  Io io = write_out();
  if (io == Io::done && file_left_ > 0) io = write_file();
  if (pause_) return;
  switch (io) {
    case Io::done: return sent_all();
    case Io::blocked_write: return wait_then(asio::ip::tcp::socket::wait_write, &Connection::write);
    case Io::blocked_read: return wait_then(asio::ip::tcp::socket::wait_read, &Connection::write);
    case Io::over: return close();
  }
}

void Connection::pause_until(std::chrono::steady_clock::time_point when) {
  pause_ = std::make_unique<asio::steady_timer>(worker_.io());
  pause_->expires_at(when);
  pause_->async_wait([self = shared_from_this()](const boost::system::error_code&) {
    if (self->state_ == State::closed) return;
    // Waiting for its share is not the client's fault.
    self->deadline_ = std::max(self->deadline_, self->worker_.now() + self->worker_.shared().settings.send_timeout);
    self->write();
  });
}

void Connection::sent_all() {
  has_answered_ = true;
  file_.reset();
  if (out_.capacity() > 4096) out_ = {};  // an idle connection keeps little
  if (close_after_) {
    // Closing with unread bytes would reset the connection, and the client might lose the answer.
    boost::system::error_code ignored;
    if (tls_) (void)::SSL_shutdown(tls_.get());
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    enter(State::lingering, std::chrono::seconds(2));
    return linger();
  }
  if (have_ > 0) {
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
