// Commands to a Redis or Valkey cluster: which node has which slot, many commands in flight to each node, MOVED and ASK followed.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "ksn_store/redis_connection.hpp"

namespace picket::ksn_store {

inline constexpr std::size_t kRedisSlots = 16384;

// CRC16 (XMODEM) of the key, or of what stands between its first braces (Redis cluster specification).
[[nodiscard]] std::uint16_t slot_of(std::string_view key);

struct RedisCommand {
  std::vector<std::string> arguments;  // [0] its name, [1] its key
};
struct RedisReply {
  bool nil = false;
  std::int64_t number = 0;
  std::string text;
  std::vector<std::string> list;
};

// One thread at a time. Connections are made when they are needed and made again after an error.
class RedisCluster {
 public:
  // seeds: "host:port" of some of its nodes.
  RedisCluster(std::vector<std::string> seeds, RedisAccess access) : seeds_(std::move(seeds)), access_(std::move(access)) {}

  // All replies in the order of the commands, or none: Code::unavailable says which node is missing. A command whose answer was lost with its
  // connection is sent again: what is not the same when done twice may be done twice.
  [[nodiscard]] Result<std::vector<RedisReply>> run(std::span<const RedisCommand> commands, std::chrono::milliseconds deadline);

 private:
  struct Pending {
    std::size_t command;
    std::string ask;  // a node that has the slot for this once
  };
  using Clock = std::chrono::steady_clock;

  Result<RedisConnection*> connection(const std::string& node, Clock::time_point until);
  Result<> learn_slots(Clock::time_point until);
  Result<> learn_from(const std::string& node, Clock::time_point until);
  // Sends to each node what is its own, then reads; what must be tried again stays in `pending`.
  void round(std::span<const RedisCommand> commands, std::vector<Pending>& pending, std::vector<RedisReply>& replies, Clock::time_point until, Error& last, bool& hopeless);

  std::vector<std::string> seeds_;
  RedisAccess access_;
  std::array<std::uint16_t, kRedisSlots> owner_{};  // index into nodes_ + 1; 0: nobody
  std::vector<std::string> nodes_;
  bool learned_ = false;
  std::map<std::string, std::unique_ptr<RedisConnection>> connections_;
  std::set<std::string, std::less<>> down_;  // for which an earlier run waited in vain: the next does not wait, until it connects again
  std::string missing_;                      // in this run
};

}  // namespace picket::ksn_store
