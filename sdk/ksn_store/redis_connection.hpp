// A connection to one Redis or Valkey node, in the clear or by TLS. hiredis does the protocol; the socket is ours, because its version 0.14 knows no TLS.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"

struct redisReader;
struct redisReply;
struct ssl_ctx_st;
struct ssl_st;

namespace picket::ksn_store {

// How the nodes of a cluster are to be spoken to.
struct RedisAccess {
  std::string user, password;       // no user: the default one; no password: none is said
  std::shared_ptr<ssl_ctx_st> tls;  // none: in the clear
};

// HOST:PORT, where HOST may be an IPv6 address, also in brackets.
[[nodiscard]] bool is_redis_node(const std::string& node);

// authority: a PEM file, empty for the system's. certificate, key: what this side shows, PEM files, or both empty.
[[nodiscard]] Result<std::shared_ptr<ssl_ctx_st>> make_redis_tls(const std::string& authority, const std::string& certificate, const std::string& key);

// One thread at a time. Errors are Code::unavailable and name the node; after one the connection is of no use.
class RedisConnection {
 public:
  using Clock = std::chrono::steady_clock;
  struct Free {
    void operator()(redisReply* reply) const;
    void operator()(redisReader* reader) const;
    void operator()(ssl_st* tls) const;
  };
  using Reply = std::unique_ptr<redisReply, Free>;

  // "host:port". Connected, greeted and authenticated; a certificate must be for the host.
  [[nodiscard]] static Result<std::unique_ptr<RedisConnection>> open(const std::string& node, const RedisAccess& access, Clock::time_point until);

  void append(std::span<const std::string> words);  // a command, to be sent
  [[nodiscard]] Result<> send(Clock::time_point until);
  [[nodiscard]] Result<Reply> receive(Clock::time_point until);
  // send and receive. An error of the node is a reply.
  [[nodiscard]] Result<Reply> ask(std::span<const std::string> words, Clock::time_point until);

 private:
  RedisConnection(std::string node, UniqueFd socket);
  [[nodiscard]] Result<> shake_hands(ssl_ctx_st& context, const std::string& host, Clock::time_point until);
  [[nodiscard]] Result<> wait_for(short events, Clock::time_point until) const;
  // What OpenSSL wants before it goes on.
  [[nodiscard]] Result<> wait_for_tls(int result, Clock::time_point until) const;
  [[nodiscard]] tl::unexpected<Error> broken(std::string_view what) const;

  const std::string node_;
  UniqueFd socket_;
  std::unique_ptr<ssl_st, Free> tls_;
  std::unique_ptr<redisReader, Free> reader_;
  std::string out_;
};

}  // namespace picket::ksn_store
