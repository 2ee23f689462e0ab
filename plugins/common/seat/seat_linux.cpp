#include "seat/seat.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/bytes.hpp"

namespace picket::plugin {
namespace {

constexpr std::string_view kHolderKey = "seat", kNextKey = "seat.next";
constexpr std::size_t kMostSockets = 64, kMostNames = 8192;
constexpr std::uint64_t kLookMs = 20, kTryAgainMs = 5000;

// A process by its number and when it began, since numbers come again. Empty: there is none.
std::string process(int pid) {
  const auto text = read_file(cat("/proc/", std::to_string(pid), "/stat"), 4096);
  if (!text) return {};
  // Behind the name, which may hold anything: state, and as the twentieth from there the time of its start.
  std::string_view rest(*text);
  rest.remove_prefix(std::min(rest.rfind(')') + 2, rest.size()));
  if (rest.empty() || rest.front() == 'Z' || rest.front() == 'X') return {};
  for (int field = 0; field < 19; ++field) rest.remove_prefix(std::min(rest.find(' ') + 1, rest.size()));
  return cat(std::to_string(pid), " ", rest.substr(0, rest.find(' ')));
}

bool is_alive(std::string_view holder) {
  int pid = 0;
  const auto number = holder.substr(0, holder.find(' '));
  if (std::from_chars(number.data(), number.data() + number.size(), pid).ec != std::errc() || pid <= 0) return false;
  return process(pid) == holder;
}

// In the abstract namespace, which needs no folder that both may write: the name stands in the plugin's storage. It is no secret (/proc/net/unix), so
// both ends look who the other one is.
socklen_t address_of(std::string_view name, sockaddr_un& out) {
  out = {};
  out.sun_family = AF_UNIX;
  const auto size = std::min(name.size(), sizeof out.sun_path - 1);
  std::memcpy(out.sun_path + 1, name.data(), size);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + size);
}

// For both ends: who waits or sends is there already, and whoever else knows the name (the kernel lists it) stops nobody by it.
void wait_at_most_a_second(int socket) {
  const timeval second{1, 0};
  for (const int option : {SO_SNDTIMEO, SO_RCVTIMEO}) ::setsockopt(socket, SOL_SOCKET, option, &second, sizeof second);
}

bool is_of_our_user(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

}  // namespace

Result<bool> Seat::take() {
  if (is_ours_) return true;
  if (next_ && receive()) return sit_down(), true;
  const auto holder = host_.load(kHolderKey).value_or("");
  if (!is_alive(holder) || holder == process(::getpid())) return sit_down(), true;
  if (!next_) PICKET_TRY(stand_by());
  if (!is_timer_set_) fire(kLookMs, kLookMs);
  return false;
}

bool Seat::may_open() {
  if (!is_waiting()) return true;
  const auto is_ours = take();
  if (is_ours && !*is_ours) return false;
  if (is_ours) host_.info("the version before has stopped: this one serves from here on");
  return true;  // where it cannot be told, opening fails with the reason
}

// Again and again: while another has the seat, may_open() says no and take() finds a timer that is set.
void Seat::try_again_later() { fire(kTryAgainMs, kTryAgainMs); }

void Seat::fire(std::uint64_t delay_ms, std::uint64_t period_ms) {
  is_timer_set_ = true;
  host_.set_timer(timer_, delay_ms, period_ms);
}

void Seat::be_still() {
  if (std::exchange(is_timer_set_, false)) host_.cancel_timer(timer_);
}

void Seat::sit_down() {
  be_still();
  is_ours_ = true;
  host_.store(kHolderKey, process(::getpid()));
  if (!next_) return;
  next_.reset();
  host_.forget(kNextKey);
}

Result<> Seat::stand_by() {
  next_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto name = cat("picket-seat-", to_hex(random_bytes(16)));
  sockaddr_un address;
  const auto size = address_of(name, address);
  if (!next_ || ::bind(next_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(next_.get(), 1) != 0) {
    next_.reset();
    return fail_errno("stand by for the version that runs");
  }
  if (host_.store(kNextKey, name) == PICKET_OK) return {};
  next_.reset();
  return fail(Code::io, "stand by for the version that runs: its storage cannot be written");
}

bool Seat::receive() {
  const UniqueFd from(::accept4(next_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!from || !is_of_our_user(from.get())) return false;
  std::string names(kMostNames, '\0');
  iovec bytes{names.data(), names.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostSockets * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  wait_at_most_a_second(from.get());  // connected, and about to send, or gone
  const auto got = ::recvmsg(from.get(), &message, MSG_CMSG_CLOEXEC);
  names.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  std::string_view rest(names);
  for (auto* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t i = 0; i < (part->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      const auto end = rest.find('\n');
      sockets_[std::string(rest.substr(0, end))].reset(fd);
      rest.remove_prefix(std::min(end == rest.npos ? rest.size() : end + 1, rest.size()));
    }
  }
  return true;
}

bool Seat::is_awaited() const { return is_ours_ && host_.load(kNextKey).has_value(); }

bool Seat::hand_over(const std::vector<std::pair<std::string, int>>& sockets) {
  const auto name = host_.load(kNextKey);
  if (!is_ours_ || !name || sockets.size() > kMostSockets) return false;
  const UniqueFd to(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address;
  const auto size = address_of(*name, address);
  if (to) wait_at_most_a_second(to.get());
  if (!to || ::connect(to.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 || !is_of_our_user(to.get())) return false;
  std::string names;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostSockets * sizeof(int))> control{};
  auto* part = reinterpret_cast<cmsghdr*>(control.data());
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sockets.size() * sizeof(int));
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    names += cat(sockets[i].first, "\n");
    std::memcpy(CMSG_DATA(part) + i * sizeof(int), &sockets[i].second, sizeof(int));
  }
  iovec bytes{names.data(), names.size()};
  if (names.empty()) bytes = {const_cast<char*>("\n"), 1};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (!sockets.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sockets.size() * sizeof(int));
  }
  if (names.size() > kMostNames || ::sendmsg(to.get(), &message, MSG_NOSIGNAL) < 0) return false;
  is_ours_ = false;
  return true;
}

void Seat::leave() {
  be_still();
  next_.reset();
  sockets_.clear();
  if (std::exchange(is_ours_, false)) host_.forget(kHolderKey);
}

}  // namespace picket::plugin
