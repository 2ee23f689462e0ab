// One frame: what picketctl and isolated children say and hear, one per packet of a SOCK_SEQPACKET socket.
//
// Layout, little endian: u16 type, u16 zero, i32 status, u64 token, u64 number, u8 length of topic, key, content type and
// text, u32 length of payload; then these five, back to back, to the exact end of the packet. Nothing else is valid.
//
//   towards the bus             token        number          topic key content_type  text        payload
//   HELLO       first frame     -            kVersion                                 program
//   PUBLISH                     0 or any                      x     x   x                         x
//   SUBSCRIBE, UNSUBSCRIBE      0 or any                      filter
//   REQUEST                     asker's      timeout ms       x         x              to          x    status: credit at first, bytes
//   GRANT                       asker's      bytes
//   CANCEL                      asker's
//   RESPOND                     request id                              x                          x    status
//   STREAM_WRITE                request id                                                         chunk
//   from the bus
//   WELCOME                     -            kVersion                                 peer's name
//   RESULT      of the first    as given                                                         error's text   status
//               three, if token != 0
//   MESSAGE                                  0 state, 1 event x     x   x              sender      x
//   REQUEST_IN                  request id   timeout ms       x         x              sender      x    (CREDIT follows, if any)
//   STREAM_IN                   asker's                                                            chunk
//   REPLY                       asker's                       x         x              sender      x    status (no sender: the bus refuses it)
//   CREDIT                      request id   bytes that may be written in all, from the first chunk on (so writable now is
//                                            this minus what was written: chunks may be on their way meanwhile)
//   CANCEL_IN                   request id
//   LOSS                                     count            x
//   GOODBYE     either way: why the connection ends now                               -           text   status
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "bus/bus.hpp"

namespace picket::bus::wire {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kHeaderSize = 32;
constexpr std::size_t kMaxFrame = kHeaderSize + 4 * 255 + kMaxPayload;
// For a socket's SO_SNDBUF: a packet larger than that cannot be sent at all.
constexpr int kSocketBuffer = 512 * 1024;

enum class Type : std::uint16_t {
  hello = 1, publish = 2, subscribe = 3, unsubscribe = 4, request = 5, grant = 6, cancel = 7, respond = 8, stream_write = 9,
  welcome = 32, result = 33, message = 34, request_in = 35, stream_in = 36, reply = 37, credit = 38, cancel_in = 39, loss = 40,
  goodbye = 63,
  first_other = 64,  // 64 to 127: the life cycle of plugins (agent/isolation)
  last_other = 127,
};
[[nodiscard]] std::string_view to_string(Type type);

// Borrows its texts: from the buffer that was parsed, or from whoever sends it.
struct Frame {
  Type type = Type::goodbye;
  Status status = kOk;
  std::uint64_t token = 0;
  std::uint64_t number = 0;
  std::string_view topic{}, key{}, content_type{}, text{}, payload{};
};

// Code::invalid: too short, too long, a length that does not fit, a type that is not known.
[[nodiscard]] Result<Frame> parse(std::string_view packet);

// Header and the four short texts, to be followed by the payload. Code::too_large when a part does not fit.
[[nodiscard]] Result<> encode_head(const Frame& frame, std::string& out);
[[nodiscard]] Result<std::string> encode(const Frame& frame);

}  // namespace picket::bus::wire
