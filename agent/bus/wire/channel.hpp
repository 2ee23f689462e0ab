// A SOCK_SEQPACKET socket on the I/O loop: frames in as callbacks, frames out from any thread, bounded.
#pragma once

#include <memory>

#include "base/files.hpp"
#include "base/result.hpp"
#include "bus/wire/frame.hpp"

namespace picket::runtime { class IoLoop; }

namespace picket::bus::wire {

// Frames that wait because the other side does not read: from so many on the channel is full, and its owner should stop...
constexpr std::size_t kFullFrames = 256;
constexpr std::size_t kFullBytes = 512 * 1024;
// ...and with so many it is closed: answers to what the other side asks for without reading them.
constexpr std::size_t kMostFrames = 4096;
constexpr std::size_t kMostBytes = 4u << 20;

class Channel {
 public:
  // All on the loop's thread.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_frame(const Frame& frame) = 0;  // borrowed
    virtual void on_writable() {}                   // it was full, and has room again
    // Once, and nothing after it: unavailable (closed by the other side), invalid (not a frame), too_large (does not read), io.
    virtual void on_closed(const Error& why) = 0;
  };

  // Starts reading; callbacks may come before it returns.
  [[nodiscard]] static std::unique_ptr<Channel> make(runtime::IoLoop& loop, UniqueFd socket, Listener& listener);
  // Any thread, also from a callback; no callback runs after it (on another thread it waits for the one that runs).
  virtual ~Channel() = default;

  // Any thread; never blocks. Sent at once when possible, else kept and sent in order. UNAVAILABLE: closed.
  [[nodiscard]] virtual Status send(const Frame& frame) = 0;
  [[nodiscard]] virtual bool is_full() const = 0;
  // on_closed follows. What is kept is dropped. Any thread.
  virtual void close(Error why) = 0;
};

}  // namespace picket::bus::wire
