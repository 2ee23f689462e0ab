// A server that answers every connection with the bytes that a test wants, however wrong. Loopback, own threads, ended with the object.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace picket::plugin_tests {

class RawServer {
 public:
  // What to send for a request (its head). After it the connection is closed; kept open without a word when `hold` is set.
  struct Reply {
    std::string bytes;
    bool hold = false;   // neither close nor send more, until the server goes
    bool endless = false;  // repeat `again` as long as it is taken
    std::string again = {};
  };
  using Handler = std::function<Reply(const std::string& head)>;

  explicit RawServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 16);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~RawServer() {
    over_ = true;
    thread_.join();
    for (auto& connection : connections_) connection.join();
    ::close(listener_);
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }
  [[nodiscard]] std::vector<std::string> heads() const {
    const std::lock_guard lock(mutex_);
    return heads_;
  }
  [[nodiscard]] std::size_t accepted() const { return accepted_; }
  // A whole answer with this status line and body; the length is said.
  static std::string answer(const std::string& status, const std::string& body = {}, const std::string& more_headers = {}) {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more_headers + "\r\n" + body;
  }

 private:
  [[nodiscard]] bool wait_readable(int fd) const {
    while (!over_) {
      pollfd wanted{fd, POLLIN, 0};
      if (::poll(&wanted, 1, 20) > 0) return true;
    }
    return false;
  }
  void run() {
    while (wait_readable(listener_)) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++accepted_;
      connections_.emplace_back([this, fd] {
        serve(fd);
        ::close(fd);
      });
    }
  }
  void serve(int fd) {
    timeval patience{0, 100'000};  // so that a sender notices the end of the test
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    std::string head;
    char buffer[4096];
    while (head.find("\r\n\r\n") == std::string::npos) {
      if (!wait_readable(fd)) return;
      const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) return;
      head.append(buffer, static_cast<std::size_t>(got));
    }
    {
      const std::lock_guard lock(mutex_);
      heads_.push_back(head);
    }
    const Reply reply = handler_(head);
    if (!send_all(fd, reply.bytes)) return;
    while (reply.endless && send_all(fd, reply.again)) {
    }
    while (reply.hold && wait_readable(fd))
      if (::recv(fd, buffer, sizeof buffer, 0) <= 0) return;
  }
  bool send_all(int fd, std::string_view bytes) const {
    while (!bytes.empty() && !over_) {
      const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return !over_;
  }

  Handler handler_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> over_ = false;
  std::atomic<std::size_t> accepted_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> heads_;
  std::vector<std::thread> connections_;
  std::thread thread_;
};

}  // namespace picket::plugin_tests
