// A plain client of the distribution point's server: one connection, with or without TLS, that takes every answer as it comes.
#pragma once

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <string>
#include <string_view>

namespace distribution_point {

inline constexpr std::chrono::seconds kPatience(60);

class Client {
 public:
  explicit Client(std::uint16_t port, bool tls = false) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{kPatience.count(), 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    if (!tls) return;
    context_ = ::SSL_CTX_new(::TLS_client_method());
    tls_ = ::SSL_new(context_);
    ::SSL_set_fd(tls_, fd_);
    connected_ = ::SSL_connect(tls_) == 1;
  }
  ~Client() {
    if (tls_ != nullptr) ::SSL_free(tls_);
    if (context_ != nullptr) ::SSL_CTX_free(context_);
    ::close(fd_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  [[nodiscard]] bool connected() const { return connected_; }
  // The digest of the server's.
  [[nodiscard]] std::string certificate() const {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    X509* const given = ::SSL_get1_peer_certificate(tls_);
    const bool read = given != nullptr && ::X509_digest(given, ::EVP_sha256(), digest, &size) == 1;
    ::X509_free(given);
    return read ? std::string(reinterpret_cast<const char*>(digest), size) : std::string();
  }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = tls_ != nullptr ? write_tls(bytes) : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  struct Got {
    int status = 0;       // 0: no whole answer came
    std::string head, body;
    [[nodiscard]] std::string header(const std::string& name) const {
      const auto at = head.find("\r\n" + name + ": ");
      if (at == head.npos) return {};
      const auto begin = at + name.size() + 4;
      return head.substr(begin, head.find("\r\n", begin) - begin);
    }
  };
  Got receive(bool no_body = false) {
    Got got;
    while (buffer_.find("\r\n\r\n") == buffer_.npos)
      if (!more()) return got;
    const auto end = buffer_.find("\r\n\r\n") + 4;
    got.head = buffer_.substr(0, end);
    buffer_.erase(0, end);
    got.status = std::stoi(got.head.substr(9, 3));
    const auto length = got.header("Content-Length");
    const std::size_t size = no_body || length.empty() ? 0 : std::stoul(length);
    while (buffer_.size() < size)
      if (!more()) {
        got.status = 0;
        break;
      }
    got.body = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return got;
  }
  Got get(const std::string& path, const std::string& headers = {}, const std::string& method = "GET") {
    if (!send(method + " " + path + " HTTP/1.1\r\nHost: point\r\n" + headers + "\r\n")) return {};
    return receive(method == "HEAD");
  }
  // The server ended the connection, within the time.
  bool is_closed() {
    while (more()) buffer_.clear();
    return eof_;
  }

 private:
  // OpenSSL knows no MSG_NOSIGNAL. The signal is blocked for this call only, so that a server begun by the same thread has to see to its own.
  ssize_t write_tls(std::string_view bytes) {
    sigset_t pipe, before;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
    const auto sent = ::SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()));
    const timespec at_once{};
    ::sigtimedwait(&pipe, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return sent;
  }
  bool more() {
    char part[65536];
    const auto got = tls_ != nullptr ? ::SSL_read(tls_, part, sizeof part) : ::recv(fd_, part, sizeof part, 0);
    eof_ = got == 0 || (got < 0 && (errno == ECONNRESET || tls_ != nullptr));
    if (got <= 0) return false;
    buffer_.append(part, static_cast<std::size_t>(got));
    return true;
  }
  int fd_;
  bool connected_ = false, eof_ = false;
  SSL_CTX* context_ = nullptr;
  SSL* tls_ = nullptr;
  std::string buffer_;
};

}  // namespace distribution_point
