// Who waits in a broker, and for what: of its own files only.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "broker.hpp"

namespace ksn_proxy {

// A request that waits for answers. Done: its reply is sent, its slots are empty.
struct Broker::Waiting {
  ksn_server::Reply reply;
  std::vector<EntryRef> slots;
  std::size_t missing = 0;
  Clock::time_point deadline;
  bool extended = false, done = false;
};

// A question on its way, and who waits for it, with the slot; none: it only waits for what is said of the licence.
struct Broker::Pending {
  static constexpr std::size_t kNoSlot = ~std::size_t{0};
  std::vector<std::pair<std::shared_ptr<Waiting>, std::size_t>> waiters;
};

}  // namespace ksn_proxy
