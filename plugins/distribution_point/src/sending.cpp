#include "sending.hpp"

#include <openssl/err.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace distribution_point {
namespace {

constexpr std::size_t kTlsRecord = 16'384;
constexpr std::uint64_t kTurn = 2u << 20;   // bytes for one connection before the others have their turn

}  // namespace

std::string& Sending::begin() {
  head_.clear();
  head_at_ = 0;
  file_left_ = 0;
  sent_ = 0;
  return head_;
}

void Sending::follow_with(std::shared_ptr<OpenFile> file, std::uint64_t first, std::uint64_t length) {
  file_ = std::move(file);
  file_at_ = first;
  file_left_ = length;
  is_bulk_ = length >= worker_.shared().settings.bulk_bytes && worker_.shared().bandwidth.has_rules();
  choose_rule();
}

void Sending::end() {
  file_.reset();
  if (head_.capacity() > 4096) head_ = {};
}

Sending::Io Sending::go_on() {
  const Io io = write_head();
  return io == Io::done && file_left_ > 0 ? write_file() : io;
}

Sending::Io Sending::tls_result(const tls_server::Connection& tls, int result) {
  switch (::SSL_get_error(tls.get(), result)) {
    case SSL_ERROR_WANT_READ: return Io::blocked_read;
    case SSL_ERROR_WANT_WRITE: return Io::blocked_write;
    default: ::ERR_clear_error(); return Io::over;
  }
}

void Sending::count(std::size_t sent) {
  sent_ += sent;
  worker_.shared().counters.sent_bytes.fetch_add(sent, std::memory_order_relaxed);
}

Sending::Io Sending::send(const char* data, std::size_t size, bool more, std::size_t& sent) {
  if (tls_) {
    ::ERR_clear_error();
    const int result = ::SSL_write(tls_.get(), data, static_cast<int>(size));
    if (result <= 0) {
      pending_record_ = size;
      return tls_result(tls_, result);
    }
    pending_record_ = 0;
    sent = static_cast<std::size_t>(result);
  } else {
    const ssize_t result = ::send(socket_.native_handle(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
    if (result < 0) return errno == EAGAIN || errno == EINTR ? Io::blocked_write : Io::over;
    sent = static_cast<std::size_t>(result);
  }
  count(sent);
  return Io::done;
}

Sending::Io Sending::write_head() {
  while (head_at_ < head_.size()) {
    std::size_t sent = 0;
    if (const Io io = send(head_.data() + head_at_, head_.size() - head_at_, file_left_ > 0, sent); io != Io::done) return io;
    head_at_ += sent;
  }
  return Io::done;
}

void Sending::choose_rule() {
  chosen_at_ = {worker_.day(), worker_.minute()};
  slowed_by_ = is_bulk_ ? worker_.shared().bandwidth.rule_for(from_, chosen_at_.first, chosen_at_.second) : std::nullopt;
}

Sending::Io Sending::send_from_file(std::size_t may, std::size_t& sent) {
  auto at = static_cast<off_t>(file_at_);
  if (!tls_) {
    const ssize_t result = ::sendfile(socket_.native_handle(), file_->fd.get(), &at, may);
    if (result <= 0) return result < 0 && (errno == EAGAIN || errno == EINTR) ? Io::blocked_write : Io::over;
    sent = static_cast<std::size_t>(result);
    count(sent);
    return Io::done;
  }
  const ssize_t got = ::pread(file_->fd.get(), worker_.scratch(), may, at);
  if (got <= 0) return Io::over;
  // What does not fit now is read from the file again: it is in the page cache, and a buffer for each connection would be more.
  while (sent < static_cast<std::size_t>(got)) {
    std::size_t taken = 0;
    if (const Io io = send(worker_.scratch() + sent, std::min(static_cast<std::size_t>(got) - sent, kTlsRecord), false, taken); io != Io::done) return io;
    sent += taken;
  }
  return Io::done;
}

Sending::Io Sending::write_file() {
  auto& bandwidth = worker_.shared().bandwidth;
  if (is_bulk_ && chosen_at_ != std::pair(worker_.day(), worker_.minute())) choose_rule();
  for (std::uint64_t turn = 0; file_left_ > 0;) {
    if (turn >= kTurn) return Io::blocked_write;  // the others first; the socket may be ready again at once
    std::uint64_t may = std::min<std::uint64_t>(file_left_, tls_ ? Worker::kScratch : kTurn);
    // OpenSSL wants the record that it could not send again, and no less of it: that one is not asked for its share once more.
    const bool owed = tls_ && pending_record_ > 0;
    if (owed) may = std::min<std::uint64_t>(may, pending_record_);
    if (slowed_by_ && !owed) {
      may = bandwidth.take(*slowed_by_, may, std::chrono::steady_clock::now(), resumes_at_);
      if (may == 0) return Io::paused;
    }
    std::size_t sent = 0;
    const Io io = send_from_file(static_cast<std::size_t>(may), sent);
    if (slowed_by_ && !owed && sent < may) bandwidth.give_back(*slowed_by_, may - sent);
    file_at_ += sent;
    file_left_ -= sent;
    turn += sent;
    if (io != Io::done) return io;
    if (!tls_ && sent < may) return Io::blocked_write;  // the socket is full: another call would only say so
  }
  return Io::done;
}

}  // namespace distribution_point
