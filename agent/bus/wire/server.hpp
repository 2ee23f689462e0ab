// Where picketctl connects: a unix socket, each connection a peer of its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "base/result.hpp"
#include "bus/bus.hpp"

namespace picket::runtime { class IoLoop; }

namespace picket::bus::wire {

// Of the process at the other end, as the kernel says (SO_PEERCRED).
struct PeerCredentials {
  std::int32_t pid = 0;
  std::uint32_t uid = 0, gid = 0;
};

struct ServerOptions {
  std::filesystem::path path;
  unsigned mode = 0660;
  std::optional<std::uint32_t> group;  // that may connect, beside the owner
  // What such a caller may do; an error refuses it and is told to it. On the loop's thread.
  std::function<Result<AllowList>(const PeerCredentials&)> allow;
  // What its peer is named, so that an answerer sees who asks; none: "picketctl". On the loop's thread.
  std::function<std::string(const PeerCredentials&)> name;
  QueueLimits queue;
  Standing standing = Standing::own;  // of every caller: not one of picketd's own parts
  std::size_t max_connections = 32;
};

// Peers are named as ServerOptions::name says, the second that is connected NAME#2 and so on: the smallest number that is free.
class Server {
 public:
  // Code::conflict: somebody else listens there. An old socket file that nobody listens on is replaced.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(Router& router, runtime::IoLoop& loop, ServerOptions options);
  virtual ~Server() = default;  // ends all connections (they are told), removes the socket
  [[nodiscard]] virtual std::size_t connections() const = 0;
};

}  // namespace picket::bus::wire
