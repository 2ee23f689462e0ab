// The ordered list of sources, and what is remembered of each one's health: a circuit breaker. Closed: it is used. Open, after a failure: it rests,
// each time twice as long. Half-open, when the rest is over: one attempt decides. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <picket/update/v1/report.pb.h>

#include "core/clock.hpp"
#include "update/explain.hpp"
#include "update/settings.hpp"

namespace picket::update {

class Sources {
 public:
  explicit Sources(const core::Clock& clock) : clock_(clock) {}

  // What is known of an entry that did not change stays known.
  // longest_wish: how long a server's own wish to be left alone is heard at most; it may be wrong, or hostile.
  void configure(std::vector<SourceEntry> entries, std::chrono::seconds rest, std::chrono::seconds longest_rest = std::chrono::hours(2), std::chrono::seconds longest_wish = std::chrono::hours(2));
  // Those to try now, in order. Resting ones are left out, unless `force`, or unless nothing else is left: a rest is there to spare
  // waiting in front of a source that works, not to refuse work.
  [[nodiscard]] std::vector<SourceEntry> to_try(bool force, Explain& explain) const;
  void worked(std::string_view name);
  // wish: how long it wants to be left alone, in its own words; 0: asking costs nothing (a drive that is not plugged in), so it does not rest.
  void failed(std::string_view name, std::string_view why, std::optional<std::chrono::seconds> wish = std::nullopt);
  [[nodiscard]] std::vector<v1::SourceStatus> status() const;
  struct Rest {
    std::chrono::seconds left{0};      // 0: it does not rest
    std::string why;
    bool is_asked_for = false;         // by the source itself
  };
  [[nodiscard]] Rest rest_of(std::string_view name) const;
  // All that are enabled rest, one of them because it asked for it: what need not be asked now is not asked, though to_try would.
  [[nodiscard]] bool want_to_be_left_alone() const;
  [[nodiscard]] bool knows(std::string_view name) const;

 private:
  struct Health {
    enum class State { untried, ok, failed } state = State::untried;
    std::string why;
    std::int64_t since = 0;
    std::int64_t rests_until = 0;
    std::int64_t rest = 0;       // its length
    unsigned failures = 0;       // in a row
    bool is_asked_for = false;   // the rest, by the source
  };
  // A clock that was set back must not make a source rest for years.
  [[nodiscard]] static bool rests(const Health& health, std::int64_t now) { return health.rests_until > now && health.rests_until - now <= health.rest; }
  [[nodiscard]] const Health& health_of(std::string_view name) const;

  const core::Clock& clock_;
  mutable std::mutex mutex_;
  std::vector<SourceEntry> entries_;
  std::map<std::string, Health, std::less<>> health_;
  std::int64_t rest_ = 300, longest_rest_ = 7200, longest_wish_ = 7200;
};

}  // namespace picket::update
