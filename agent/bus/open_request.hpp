// A request between its question and its answer; shared by asker and answerer.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "bus/bus.hpp"

namespace picket::bus {

class PeerCore;
class Topic;
struct OpenRequest;

using DeadlineMap = std::multimap<std::chrono::steady_clock::time_point, std::shared_ptr<OpenRequest>>;

struct OpenRequest {
  // All constant once it is open.
  RequestId id = 0;
  Token token = 0;
  Topic* topic = nullptr;
  std::shared_ptr<PeerCore> asker, answerer;
  std::chrono::steady_clock::time_point deadline;

  // Of Deadlines, under its lock.
  DeadlineMap::iterator deadline_at{};
  bool has_deadline = false;

  std::mutex mutex;                // guards the rest; taken before the locks of inboxes
  bool is_finished = false;        // answered, cancelled, timed out or abandoned: whoever sets this sends the reply
  bool is_delivered = false;       // the answerer has seen it, so it must hear of a cancellation
  bool is_cancelled = false;       // by the asker: chunks still queued for it are dropped
  bool credit_is_queued = false;   // one credit item at a time
  bool is_blocked = false;         // a chunk found no room
  std::uint64_t credit = 0;
};

}  // namespace picket::bus
