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
  static constexpr std::uint32_t kLookMs = 20;  // so often a plugin that stands by calls take() again

  explicit Seat(Host host) : host_(host) {}
  ~Seat() = default;
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;

  // True: it is ours from here on. False: another process of this plugin has it, and knows by whom it is awaited.
  [[nodiscard]] Result<bool> take();
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

  const Host host_;
  bool is_ours_ = false;
  UniqueFd next_;  // where the one that has the seat will find us
  Sockets sockets_;
};

}  // namespace picket::plugin
