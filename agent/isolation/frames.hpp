// The life of a plugin in a child, in frames of bus/wire. The child never sees the network of the bus, only this socket.
//
//   to the child      number        text   payload              | from the child
//   SETUP             kProtocol            JSON, see Setup      | READY     status, payload: why not; number: 1 if it can apply
//   START             revision             settings JSON        | STARTED   status, payload: why not
//   APPLY             revision             settings JSON        | APPLIED   status, number: revision, payload: why not
//   STOP              deadline, ms                              | STOPPED   status, payload: why
//   PING              any                                       | PONG      number as given
//                                                               | LOG       status: level, payload: text
//                                                               | OBSERVED  number: revision, status: health, payload: text
//                                                               | HEALTH    status: health, payload: text
//                                                               | OVERRUN   number: ms so far, text: which call
//
// Order: SETUP -> READY -> START -> STARTED -> (bus frames, APPLY, PING)* -> STOP -> STOPPED; then picketd closes the socket and the
// child ends. PONG comes when the calls before it have returned.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/wire/frame.hpp"

namespace picket::isolation {

constexpr std::uint64_t kProtocol = 1;

using bus::wire::Type;
constexpr Type kSetup{64}, kStart{65}, kApply{66}, kStop{67}, kPing{68};
constexpr Type kReady{80}, kStarted{81}, kApplied{82}, kStopped{83}, kPong{84}, kLog{85}, kObserved{86}, kHealth{87}, kOverrun{88};

// What the child must know to answer its plugin's calls without asking.
struct Setup {
  std::string id;
  std::vector<std::string> extensions;
  std::vector<std::string> publishes, subscribes, answers, asks;
  std::uint32_t callback_ms = 1000, memory_mb = 256;
  std::string storage_dir;
  std::uint64_t storage_bytes = 0;

  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] static Result<Setup> parse(std::string_view text);
};

}  // namespace picket::isolation
