#include "ksn_store/redis_connection.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include <arpa/inet.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

namespace picket::ksn_store {
namespace {

// "host:port", the host possibly an IPv6 address with colons of its own.
bool split_node(const std::string& node, std::string& host, std::string& port) {
  const auto colon = node.rfind(':');
  if (colon == node.npos || colon == 0 || node.find('/') != node.npos) return false;
  host = node.substr(0, colon);
  port = node.substr(colon + 1);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  int number = 0;
  const auto result = std::from_chars(port.data(), port.data() + port.size(), number);
  return !host.empty() && result.ec == std::errc() && result.ptr == port.data() + port.size() && number > 0 && number < 65536;
}

std::string openssl_says() {
  const char* text = ERR_reason_error_string(ERR_peek_last_error());
  std::string out = text ? text : "unknown error of OpenSSL";
  ERR_clear_error();
  return out;
}

// Began to connect; no socket: errno says why.
UniqueFd begin_to_connect(const addrinfo& address) {
  UniqueFd out(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  if (out) ::setsockopt(out.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (out && ::connect(out.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) out.reset();
  return out;
}

}  // namespace

void RedisConnection::Free::operator()(redisReply* reply) const { freeReplyObject(reply); }
void RedisConnection::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }
void RedisConnection::Free::operator()(ssl_st* tls) const { SSL_free(tls); }

bool is_redis_node(const std::string& node) {
  std::string host, port;
  return split_node(node, host, port);
}

Result<std::shared_ptr<ssl_ctx_st>> make_redis_tls(const std::string& authority, const std::string& certificate, const std::string& key) {
  // OpenSSL says "system lib" for a file that is not there.
  for (const auto* file : {&authority, &certificate, &key})
    if (!file->empty()) PICKET_TRY(read_file(*file, 1u << 20));
  if (certificate.empty() != key.empty()) return fail(Code::invalid, "store redis: certificate and key belong together");
  std::shared_ptr<ssl_ctx_st> out(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (!out) return fail(Code::internal, "OpenSSL cannot be started");
  SSL_CTX_set_min_proto_version(out.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(out.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(out.get(), SSL_VERIFY_PEER, nullptr);
  const bool trusts = authority.empty() ? SSL_CTX_set_default_verify_paths(out.get()) == 1 : SSL_CTX_load_verify_locations(out.get(), authority.c_str(), nullptr) == 1;
  if (!trusts) return fail(Code::invalid, cat("store redis: ", authority.empty() ? "the system's authorities" : authority, ": ", openssl_says()));
  if (!certificate.empty() && (SSL_CTX_use_certificate_chain_file(out.get(), certificate.c_str()) != 1 || SSL_CTX_use_PrivateKey_file(out.get(), key.c_str(), SSL_FILETYPE_PEM) != 1))
    return fail(Code::invalid, cat("store redis: ", certificate, " and ", key, ": ", openssl_says()));
  return out;
}

RedisConnection::RedisConnection(std::string node, UniqueFd socket) : node_(std::move(node)), socket_(std::move(socket)), reader_(redisReaderCreate()) {}

tl::unexpected<Error> RedisConnection::broken(std::string_view what) const { return fail(Code::unavailable, cat("Redis node ", node_, ": ", what)); }

Result<std::unique_ptr<RedisConnection>> RedisConnection::open(const std::string& node, const RedisAccess& access, Clock::time_point until) {
  const auto broken = [&](std::string_view what) { return fail(Code::unavailable, cat("Redis node ", node, ": ", what)); };
  std::string host, port;
  if (!split_node(node, host, port)) return fail(Code::invalid, cat("Redis node '", node, "' is not HOST:PORT"));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int status = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); status != 0) return broken(::gai_strerror(status));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  std::string why = "has no address";
  for (const auto* address = found; address; address = address->ai_next) {
    std::unique_ptr<RedisConnection> out(new RedisConnection(node, begin_to_connect(*address)));
    if (!out->socket_) {
      why = std::strerror(errno);
      continue;
    }
    if (auto writable = out->wait_for(POLLOUT, until); !writable) return fail(std::move(writable).error());
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(out->socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
      why = std::strerror(error != 0 ? error : errno);
      continue;
    }
    if (access.tls) PICKET_TRY(out->shake_hands(*access.tls, host, until));
    if (access.password.empty()) return out;
    std::vector<std::string> words{"AUTH", access.password};
    if (!access.user.empty()) words.insert(words.begin() + 1, access.user);
    PICKET_LET(reply, out->ask(words, until));
    if (reply->type == REDIS_REPLY_ERROR) return broken({reply->str, reply->len});
    return out;
  }
  return broken(why);
}

Result<> RedisConnection::shake_hands(ssl_ctx_st& context, const std::string& host, Clock::time_point until) {
  tls_.reset(SSL_new(&context));
  in6_addr ignored;
  const bool is_address = ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 || ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
  const bool ready = tls_ && SSL_set_fd(tls_.get(), socket_.get()) == 1 &&
                     (is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), host.c_str()) == 1
                                 : SSL_set1_host(tls_.get(), host.c_str()) == 1 && SSL_ctrl(tls_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str())) == 1);
  if (!ready) return broken(openssl_says());
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(tls_.get());
    if (result == 1) return {};
    if (const long verified = SSL_get_verify_result(tls_.get()); verified != X509_V_OK) return broken(cat("its certificate: ", X509_verify_cert_error_string(verified)));
    PICKET_TRY(wait_for_tls(result, until));
  }
}

Result<> RedisConnection::wait_for(short events, Clock::time_point until) const {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return broken("does not answer in time");
    pollfd one{socket_.get(), events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return broken(std::strerror(errno));
  }
}

Result<> RedisConnection::wait_for_tls(int result, Clock::time_point until) const {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ: return wait_for(POLLIN, until);
    case SSL_ERROR_WANT_WRITE: return wait_for(POLLOUT, until);
    case SSL_ERROR_ZERO_RETURN: return broken("has closed the connection");
    case SSL_ERROR_SYSCALL: return broken(errno != 0 ? std::strerror(errno) : "has closed the connection");
    default: return broken(openssl_says());
  }
}

void RedisConnection::append(std::span<const std::string> words) {
  out_ += cat("*", std::to_string(words.size()), "\r\n");
  for (const auto& word : words) out_ += cat("$", std::to_string(word.size()), "\r\n", word, "\r\n");
}

Result<> RedisConnection::send(Clock::time_point until) {
  std::size_t sent = 0;
  while (sent < out_.size()) {
    const auto rest = std::string_view(out_).substr(sent, 1u << 20);
    if (tls_) {
      ERR_clear_error();
      errno = 0;
      const int result = SSL_write(tls_.get(), rest.data(), static_cast<int>(rest.size()));
      if (result <= 0) PICKET_TRY(wait_for_tls(result, until));
      else sent += static_cast<std::size_t>(result);
      continue;
    }
    const auto result = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (result >= 0) sent += static_cast<std::size_t>(result);
    else if (errno == EAGAIN) PICKET_TRY(wait_for(POLLOUT, until));
    else if (errno != EINTR) return broken(std::strerror(errno));
  }
  out_.clear();
  return {};
}

Result<RedisConnection::Reply> RedisConnection::receive(Clock::time_point until) {
  char buffer[16384];
  for (;;) {
    void* raw = nullptr;
    if (redisReaderGetReply(reader_.get(), &raw) != REDIS_OK) return broken(reader_->errstr);
    if (raw) return Reply(static_cast<redisReply*>(raw));
    std::size_t got = 0;
    if (tls_) {
      ERR_clear_error();
      errno = 0;
      const int result = SSL_read(tls_.get(), buffer, sizeof buffer);
      if (result <= 0) PICKET_TRY(wait_for_tls(result, until));
      else got = static_cast<std::size_t>(result);
    } else {
      const auto result = ::recv(socket_.get(), buffer, sizeof buffer, 0);
      if (result == 0) return broken("has closed the connection");
      if (result > 0) got = static_cast<std::size_t>(result);
      else if (errno == EAGAIN) PICKET_TRY(wait_for(POLLIN, until));
      else if (errno != EINTR) return broken(std::strerror(errno));
    }
    if (got != 0 && redisReaderFeed(reader_.get(), buffer, got) != REDIS_OK) return broken(reader_->errstr);
  }
}

Result<RedisConnection::Reply> RedisConnection::ask(std::span<const std::string> words, Clock::time_point until) {
  append(words);
  PICKET_TRY(send(until));
  return receive(until);
}

}  // namespace picket::ksn_store
