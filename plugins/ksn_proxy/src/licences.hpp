// What the KSN behind the proxy said of licences lately. Under the broker's lock.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "entry.hpp"
#include "ksn_server/server.hpp"

namespace ksn_proxy {

using Clock = std::chrono::steady_clock;

struct Standing {
  Clock::time_point accepted_until{}, refused_until{};
  Clock::time_point accepted_at{}; // the last time; the epoch: never
  int refused_status = 0;
  std::string refusal;             // a serialised Refusal, repeated as it came
  [[nodiscard]] bool is_known() const { return accepted_at != Clock::time_point(); }
};
using Standings = std::vector<std::pair<std::string, Standing>>;

struct Licence : Standing {
  std::string id;
  // The broker's:
  std::vector<Key> unsent;         // new questions, in order
  Key last_question;               // may be on its way
  bool extended = false;           // one of those who ask is in extended mode
  Clock::time_point flush_at{};
  bool is_due = false;             // stands in the broker's list
  std::size_t in_flight = 0;       // batches on their way
  std::vector<ksn_server::Reply> greeters;  // wait for what the KSN says to a greeting that is on its way
  bool is_greeting = false;
  [[nodiscard]] bool is_busy() const { return is_due || in_flight > 0 || is_greeting || !unsent.empty(); }
};

class Licences {
 public:
  explicit Licences(std::size_t most) : most_(most) {}
  // nullptr: too many are in use at once. Stays where it is while it is busy.
  [[nodiscard]] Licence* get(std::string_view id, Clock::time_point now);
  [[nodiscard]] const Licence* find(std::string_view id) const {
    const auto found = known_.find(id);
    return found == known_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::size_t size() const { return known_.size(); }
  // Of those that the KSN accepted once.
  [[nodiscard]] Standings standings() const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  const std::size_t most_;
  std::unordered_map<std::string, Licence, Hash, std::equal_to<>> known_;
};

}  // namespace ksn_proxy
