// Joins a socket to the bus: what arrives is said by a peer of its own, what that peer hears is sent. The other end is
// not trusted: the peer's allow-list decides, streams stay within their credit, queues within their limits.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/files.hpp"
#include "base/result.hpp"
#include "bus/bus.hpp"
#include "bus/wire/frame.hpp"

namespace picket::runtime { class IoLoop; }

namespace picket::bus::wire {

struct BridgeOptions {
  // Both on the loop's thread. A frame of type 64 to 127; without a hook such a frame ends the connection.
  std::function<void(const Frame&)> on_other_frame;
  // Once: the other side went, or broke the protocol (Code::invalid), or does not read (too_large). The peer is detached by then.
  std::function<void(const Error&)> on_closed;
  // Until set_active(true): what the other side says on the bus is DENIED, and it hears nothing.
  bool is_active = true;
};

class Bridge {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Bridge>> make(Router& router, PeerOptions peer, runtime::IoLoop& loop, UniqueFd socket, BridgeOptions options);
  // Any thread, also from its own callbacks; no callback runs after it.
  virtual ~Bridge() = default;

  [[nodiscard]] virtual Status send(const Frame& frame) = 0;  // frames of other types; any thread
  virtual void close(Error why) = 0;                           // says GOODBYE with the text, then closes; on_closed follows
  virtual void set_active(bool active) = 0;
  [[nodiscard]] virtual Peer& peer() = 0;
};

}  // namespace picket::bus::wire
