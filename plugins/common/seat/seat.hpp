// Which process of a plugin listens and writes: one has the seat, a version that starts beside it stands by until that one gives it up or ends.
#pragma once

#include <picket/plugin.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "base/result.hpp"

namespace picket::plugin {

// Sockets that listen, by what they are for: "http 0.0.0.0 13080".
using Sockets = std::map<std::string, UniqueFd, std::less<>>;

// All calls [plugin-thread], from start on.
class Seat {
 public:
  // A timer of the plugin's that is the seat's: when it fires, the plugin asks may_open().
  Seat(Host host, std::uint64_t timer) : host_(host), timer_(timer) {}
  ~Seat() = default;
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;

  // True: it is ours from here on. False: another process of this plugin has it, and knows by whom it is awaited; the timer
  // fires until that one has left.
  [[nodiscard]] Result<bool> take();
  // Another has it, and we stand by.
  [[nodiscard]] bool is_waiting() const { return static_cast<bool>(next_); }
  // The timer fired: whether the plugin is to open what only one may have, for it is ours now, or trying again is due.
  [[nodiscard]] bool may_open();
  void try_again_later();  // to open failed
  void be_still();         // no timer any more; where none is set this calls nobody, so it may come after stop
  [[nodiscard]] bool is_ours() const { return is_ours_; }
  // What the one before left, once; nothing where it ended without a word: then the ports are free.
  [[nodiscard]] Sockets sockets() { return std::exchange(sockets_, {}); }
  // Somebody stands by, or did when it was killed.
  [[nodiscard]] bool is_awaited() const;
  // To the one that stands by: it listens and writes from here on, so all that only one may have must be let go before. Our own copies of the
  // sockets stay open. False: nobody waits.
  [[nodiscard]] bool hand_over(const std::vector<std::pair<std::string, int>>& sockets);
  // Nobody has it any more.
  void leave();

 private:
  [[nodiscard]] Result<> stand_by();
  [[nodiscard]] bool receive();
  void sit_down();

  void fire(std::uint64_t delay_ms, std::uint64_t period_ms);

  const Host host_;
  const std::uint64_t timer_;
  bool is_timer_set_ = false;
  bool is_ours_ = false;
  UniqueFd next_;  // where the one that has the seat will find us
  Sockets sockets_;
};

}  // namespace picket::plugin
