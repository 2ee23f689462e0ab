// When a task is due. A pure function of the schedule, what ran last, the time, the device's seed and the time zone.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "tasks/zone.hpp"

namespace picket::tasks {

struct Schedule {
  enum class Kind : std::uint8_t { by_hand, every, daily, weekly, monthly, at_start, new_updates, after, automatic } kind = Kind::by_hand;
  std::chrono::seconds every{0};         // every; automatic: in quiet times
  std::chrono::seconds outbreak{0};      // automatic: in an outbreak
  unsigned every_days = 1;               // daily
  std::array<bool, 7> weekdays{};        // weekly; Monday first
  unsigned day = 0;                      // monthly: 1..31, 0 the last; a day that a month lacks is its last
  std::chrono::seconds time_of_day{0};   // daily, weekly, monthly: local
  std::chrono::seconds delay{0};         // at_start, new_updates, after
  std::string after;                     // a task's id
  bool only_after_success = true;
  bool run_missed = true;
  std::chrono::seconds random_delay{0};  // at most; the same for this task on this device every time
  std::chrono::seconds stop_after{0};    // 0: never

  [[nodiscard]] bool is_by_clock() const { return kind != Kind::by_hand && kind != Kind::new_updates && kind != Kind::after; }
  bool operator==(const Schedule&) const = default;
};

struct Moment {
  std::int64_t now = 0;
  std::int64_t agent_start = 0;
  std::int64_t awake_since = 0;   // the same, or later when the computer slept or its clock jumped
  std::int64_t first_seen = 0;    // when the task was defined, its schedule changed, or it was switched on again
  std::int64_t last_start = 0;    // of its last run by whatever trigger; 0: none
  std::uint64_t spread = 0;       // spread_of(device, task)
  bool ran_since_start = false;   // since agent_start, however the clock went; or was not there in time for it
  bool outbreak = false;
  std::int64_t outbreak_since = 0;  // when it was declared to the running agent; 0: before its start, or not at all
  std::int64_t lacking_since = 0;   // when it was seen that what the task is to bring is not there at all; 0: it is there
};

struct Due {
  std::int64_t at = 0;   // 0: never by the clock. Not more than now: it is due
  bool missed = false;   // its time passed while nobody could run it
};

// A run that begins this much late was not missed.
constexpr std::int64_t kMissedGrace = 60;

[[nodiscard]] Due next_run(const Schedule& schedule, const Moment& moment, const Zone& zone);

// What to take for the last start when the clock says that it lies in the future: a clock set back a little waits a little longer, one
// that was years ahead must not make a task wait for years.
[[nodiscard]] std::int64_t settled(std::int64_t last_start, std::int64_t now);

// The same on one device for one task for ever, and different between devices.
[[nodiscard]] std::uint64_t spread_of(std::string_view device, std::string_view task);

// Tells a schedule from another also after a restart: the same on every platform, for ever. How long a run may take says nothing of when it begins.
[[nodiscard]] std::int64_t digest_of(const Schedule& schedule);

// "every 2 h", "Mondays and Fridays at 03:00, up to 10 min later": for people.
[[nodiscard]] std::string in_words(const Schedule& schedule);

// Local calendar time to Unix time. A time that does not exist when clocks go forward is as much later; of one that exists twice the first.
[[nodiscard]] std::int64_t from_local(std::int64_t days_since_epoch, std::int64_t second_of_day, const Zone& zone);

}  // namespace picket::tasks
