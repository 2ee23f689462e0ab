#include "bus/wire/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

namespace picket::bus::wire {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto& text = path.native();
  if (text.empty() || text.size() >= sizeof address.sun_path)
    return fail(Code::invalid, cat("socket path \"", text, "\" must have 1 to ", std::to_string(sizeof address.sun_path - 1), " bytes"));
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

Result<UniqueFd> make_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("make a socket");
  PICKET_TRY(set_buffers(fd.get()));
  return fd;
}

const sockaddr* generic(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

Result<> send_parts(int fd, iovec* parts, std::size_t count) {
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = count;
  for (;;) {
    if (::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return {};
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ENOBUFS) return fail(Code::busy, "the socket is full");
    if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN) return fail(Code::unavailable, "the other side has closed the connection");
    return fail_errno("send a frame");
  }
}

// false: the time is over.
bool wait_for(int fd, short what, steady_clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    struct pollfd wait{fd, what, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

steady_clock::time_point after(milliseconds timeout) { return steady_clock::now() + std::min<milliseconds>(timeout, std::chrono::hours(24 * 365)); }

}  // namespace

Result<> set_buffers(int fd) {
  for (const int option : {SO_SNDBUF, SO_RCVBUF})
    if (::setsockopt(fd, SOL_SOCKET, option, &kSocketBuffer, sizeof kSocketBuffer) != 0) return fail_errno("size a socket's buffers");
  return {};
}

Result<std::pair<UniqueFd, UniqueFd>> socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return fail_errno("make a pair of sockets");
  auto pair = std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
  PICKET_TRY(set_buffers(ends[0]));
  PICKET_TRY(set_buffers(ends[1]));
  return pair;
}

Result<UniqueFd> connect_to(const std::filesystem::path& path, milliseconds timeout) {
  PICKET_LET(address, address_of(path));
  PICKET_LET(fd, make_socket());
  const auto until = after(timeout);
  const auto refuse = [&](Code code, std::string_view why) { return fail(code, cat("cannot reach picketd at ", path.native(), ": ", why)); };
  // A listener with a full backlog answers EAGAIN, and there is nothing to poll for: the socket is not connected yet.
  while (::connect(fd.get(), generic(address), sizeof address) != 0) {
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EAGAIN && steady_clock::now() < until) {
      ::poll(nullptr, 0, 10);
      continue;
    }
    switch (error) {
      case ENOENT: return refuse(Code::unavailable, "no such file; is it running?");
      case ECONNREFUSED: return refuse(Code::unavailable, "nobody listens there; is it running?");
      case EACCES: return refuse(Code::denied, "permission denied; run as root or as a member of the socket's group");
      case EPROTOTYPE: return refuse(Code::invalid, "the socket belongs to another program");
      case EAGAIN: return refuse(Code::timeout, "it does not accept connections");
      default: return refuse(Code::io, std::strerror(error));
    }
  }
  return std::move(fd);
}

Result<UniqueFd> listen_at(const std::filesystem::path& path, unsigned mode) {
  PICKET_LET(address, address_of(path));
  const auto doing = cat("listen at ", path.native());
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode)) return fail(Code::conflict, cat(doing, ": a file that is not a socket is in the way"));
    if (connect_to(path, milliseconds(0)).map_error([](const Error& error) { return error.code; }) != tl::unexpected(Code::unavailable))
      return fail(Code::conflict, cat(doing, ": somebody else listens there"));
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(cat(doing, ": remove the old socket"));
  }
  PICKET_LET(fd, make_socket());
  // Made without rights for anybody; they come with chmod, when it is complete.
  const auto before = ::umask(0777);
  const int bound = ::bind(fd.get(), generic(address), sizeof address);
  const int error = errno;
  ::umask(before);
  if (bound != 0) return fail_errno(doing, error);
  if (::listen(fd.get(), 16) != 0) return fail_errno(doing);
  if (::chmod(path.c_str(), mode) != 0) return fail_errno(cat(doing, ": set its mode"));
  return std::move(fd);
}

Result<> try_send(int fd, const Frame& frame) {
  std::string head;
  PICKET_TRY(encode_head(frame, head));
  iovec parts[2] = {{head.data(), head.size()}, {const_cast<char*>(frame.payload.data()), frame.payload.size()}};
  return send_parts(fd, parts, frame.payload.empty() ? 1 : 2);
}

Result<> try_send_bytes(int fd, std::string_view packet) {
  iovec part{const_cast<char*>(packet.data()), packet.size()};
  return send_parts(fd, &part, 1);
}

Result<Frame> try_receive(int fd, std::string& buffer) {
  if (buffer.size() != kMaxFrame + 1) buffer.resize(kMaxFrame + 1);  // one more than the largest shows what is too large
  for (bool reset = false;;) {
    const auto got = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    // An empty packet looks like the end; nobody who speaks this protocol sends one.
    if (got == 0) return fail(Code::unavailable, "the other side has closed the connection");
    if (got > 0) return parse({buffer.data(), static_cast<std::size_t>(got)});
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return fail(Code::busy, "nothing has come");
    // Said once, before what the other side sent last: that is still there to be read.
    if (errno == ECONNRESET && !std::exchange(reset, true)) continue;
    if (errno == ECONNRESET) return fail(Code::unavailable, "the other side has closed the connection");
    return fail_errno("receive a frame");
  }
}

Result<> send(int fd, const Frame& frame, milliseconds timeout) {
  const auto until = after(timeout);
  for (;;) {
    auto sent = try_send(fd, frame);
    if (sent || sent.error().code != Code::busy) return sent;
    if (!wait_for(fd, POLLOUT, until)) return fail(Code::timeout, "the other side does not read");
  }
}

Result<Frame> receive(int fd, std::string& buffer, milliseconds timeout) {
  const auto until = after(timeout);
  for (;;) {
    auto frame = try_receive(fd, buffer);
    if (frame || frame.error().code != Code::busy) return frame;
    if (!wait_for(fd, POLLIN, until)) return fail(Code::timeout, "nothing has come");
  }
}

}  // namespace picket::bus::wire
