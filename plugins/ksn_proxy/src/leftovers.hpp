// What shares the outbox's room and is not for this KSN: messages that wait for others, and what could not be read (*.damaged). It is there until this
// KSN has taken something, or until what waits for it needs the room. One thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <string_view>

#include "outbox_folders.hpp"

namespace ksn_proxy {

class Leftovers {
 public:
  using Warn = std::function<void(std::string_view)>;
  // All in `folder` but for what is in `own`.
  Leftovers(const std::filesystem::path& folder, const std::filesystem::path& own, Warn warn);

  [[nodiscard]] bool has_others() const { return !others_.empty(); }
  // How many messages that were.
  [[nodiscard]] std::uint64_t give_up_others(std::string_view why) { return give_up(others_.size(), why); }

  struct Room {
    std::uint64_t bytes = 0;     // of `most`, for what waits for this KSN
    std::uint64_t given_up = 0;  // messages for others
  };
  // So that `wanted` bytes fit in. What nobody can read gives way first, then what waits for another KSN, unless that would not help.
  [[nodiscard]] Room make_room(std::uint64_t wanted, std::uint64_t most);
  // Removes what was put aside and does not fit beside `wanted` bytes and those of the others. Says what stays, with them.
  std::uint64_t keep_within(std::uint64_t wanted, std::uint64_t most);

 private:
  std::uint64_t give_up(std::size_t count, std::string_view why);
  [[nodiscard]] std::uint64_t bytes_of_others() const;

  const Warn warn_;
  std::deque<OtherOutbox> others_;  // the one left first at the beginning
  std::deque<PutAside> aside_;
};

}  // namespace ksn_proxy
