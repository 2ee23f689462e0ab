// Inside of the bridge: the answers that the remote side gives, with their streams.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "bus/bus.hpp"
#include "bus/wire/frame.hpp"

namespace picket::bus::wire {

// A chunk that the asker's queue has no room for waits here. The remote side is told at most so much credit beyond what has
// been passed on, whatever was granted, which bounds what waits.
constexpr std::uint64_t kMostToldAhead = 1u << 20;

class Answers {
 public:
  using TellCredit = std::function<void(RequestId, std::uint64_t total)>;
  Answers(Peer& peer, TellCredit tell_credit) : peer_(peer), tell_credit_(std::move(tell_credit)) {}

  void open(RequestId id);
  void cancel(RequestId id);
  void credit(RequestId id);
  // From the remote side. An answer to what is no longer open is ignored: it could not know. Code::invalid: it broke the rules.
  [[nodiscard]] Result<> write(RequestId id, std::string_view chunk);
  [[nodiscard]] Result<> respond(RequestId id, Status status, std::string_view content_type, std::string_view payload);

 private:
  struct Final {
    Status status;
    std::string content_type, payload;
  };
  struct Answer {
    std::uint64_t passed_on = 0, told = 0, waiting_bytes = 0;
    std::deque<std::string> waiting;
    std::optional<Final> final;  // waits behind the chunks
  };
  void tell(RequestId id, Answer& answer);  // under the lock

  Peer& peer_;
  const TellCredit tell_credit_;
  std::mutex mutex_;
  std::unordered_map<RequestId, Answer> answers_;
};

}  // namespace picket::bus::wire
