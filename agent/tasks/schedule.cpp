#include "tasks/schedule.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "base/result.hpp"

namespace picket::tasks {
namespace {

using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::year_month_day;
using Kind = Schedule::Kind;

constexpr std::int64_t kDay = 86400;
constexpr std::int64_t kClockTolerance = 3600;

std::int64_t local_day(std::int64_t at, const Zone& zone) {
  const auto local = at + zone.offset_at(at);
  return local >= 0 ? local / kDay : (local - kDay + 1) / kDay;
}

bool falls_on(const Schedule& schedule, std::int64_t day) {
  if (schedule.kind == Kind::daily) return true;
  if (schedule.kind == Kind::weekly) return schedule.weekdays[static_cast<std::size_t>(((day + 3) % 7 + 7) % 7)];  // 1970-01-01 was a Thursday
  const year_month_day date{sys_days(days(day))};
  const auto last = static_cast<unsigned>((date.year() / date.month() / std::chrono::last).day());
  return static_cast<unsigned>(date.day()) == (schedule.day == 0 ? last : std::min(schedule.day, last));
}

// The first time of the calendar after `reference`.
std::optional<std::int64_t> slot_after(const Schedule& schedule, std::int64_t reference, bool has_run, const Zone& zone) {
  const auto first = local_day(reference, zone);
  // A day earlier: where clocks change at midnight, the time of yesterday may come today.
  const auto step = schedule.kind == Kind::daily && has_run ? static_cast<std::int64_t>(schedule.every_days) : 0;
  const auto from = step > 1 ? first + step : first - 1;
  for (auto day = from; day <= first + 400 + step; ++day) {
    if (!falls_on(schedule, day)) continue;
    const auto at = from_local(day, schedule.time_of_day.count(), zone);
    if (at > reference) return at;
  }
  return std::nullopt;
}

// What would have been due before the schedule was given was not missed: it counts from then.
std::int64_t period_after(std::int64_t reference, seconds period, const Moment& moment) {
  const auto at = reference + period.count();
  return at < moment.first_seen ? moment.first_seen + period.count() : at;
}

// Of an automatic task, at present. What could not be had is asked for again as in an outbreak.
seconds period_of(const Schedule& schedule, const Moment& moment) {
  return moment.outbreak || moment.lacking_since != 0 ? schedule.outbreak : schedule.every;
}

// The time that the schedule itself says, without delays.
std::optional<std::int64_t> slot_of(const Schedule& schedule, const Moment& moment, const Zone& zone) {
  const bool has_run = moment.last_start != 0;
  const auto reference = has_run ? moment.last_start : moment.first_seen;
  switch (schedule.kind) {
    case Kind::every: return period_after(reference, schedule.every, moment);
    case Kind::automatic:
      if (moment.lacking_since != 0 && !has_run) return moment.lacking_since;  // a new computer waits for no interval
      // What its declaration makes overdue on all devices at once, or what a policy makes them lack, is spread from there.
      return std::max({period_after(reference, period_of(schedule, moment), moment), moment.outbreak ? moment.outbreak_since : 0, moment.lacking_since});
    case Kind::at_start: return moment.ran_since_start ? std::nullopt : std::optional(moment.agent_start + schedule.delay.count());
    case Kind::daily:
    case Kind::weekly:
    case Kind::monthly:
      // Times of the calendar before the schedule was given were not its times.
      return slot_after(schedule, std::max(reference, moment.first_seen), has_run && moment.last_start >= moment.first_seen, zone);
    case Kind::by_hand:
    case Kind::new_updates:
    case Kind::after: break;
  }
  return std::nullopt;
}

std::string of_duration(seconds duration) {
  const auto count = duration.count();
  if (count % kDay == 0) return cat(std::to_string(count / kDay), count == kDay ? " day" : " days");
  if (count % 3600 == 0) return cat(std::to_string(count / 3600), " h");
  if (count % 60 == 0) return cat(std::to_string(count / 60), " min");
  return cat(std::to_string(count), " s");
}

std::string of_time(seconds time) {
  const auto two = [](std::int64_t value) { return cat(value < 10 ? "0" : "", std::to_string(value)); };
  return cat(two(time.count() / 3600), ":", two(time.count() / 60 % 60));
}

std::string of_weekdays(const std::array<bool, 7>& weekdays) {
  constexpr std::array names{"Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"};
  std::string out;
  for (std::size_t i = 0; i < weekdays.size(); ++i)
    if (weekdays[i]) out += cat(out.empty() ? "" : ", ", names[i]);
  return out;
}

}  // namespace

std::int64_t from_local(std::int64_t days_since_epoch, std::int64_t second_of_day, const Zone& zone) {
  const auto local = days_since_epoch * kDay + second_of_day;
  const auto before = zone.offset_at(local - kDay), after = zone.offset_at(local + kDay);
  const auto first = std::min(local - before, local - after), second = std::max(local - before, local - after);
  for (const auto at : {first, second})
    if (at + zone.offset_at(at) == local) return at;
  return local - before;
}

std::int64_t settled(std::int64_t last_start, std::int64_t now) { return last_start > now + kClockTolerance ? now : last_start; }

std::uint64_t spread_of(std::string_view device, std::string_view task) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a: the same on every platform, which std::hash is not
  for (const auto text : {device, std::string_view("\n"), task})
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  // FNV alone leaves the low bits of neighbours alike.
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdU;
  return hash ^ (hash >> 33);
}

std::int64_t digest_of(const Schedule& schedule) {
  // All members by name: one that is added does not compile before somebody has said here whether it counts.
  const auto& [kind, every, outbreak, every_days, weekdays, day, time_of_day, delay, after, only_after_success, run_missed, random_delay, stop_after] = schedule;
  std::string text;
  for (const std::int64_t number : std::initializer_list<std::int64_t>{static_cast<std::int64_t>(kind), every.count(), outbreak.count(), every_days, day, time_of_day.count(), delay.count(),
                                                                       only_after_success, run_missed, random_delay.count()})
    text += cat(std::to_string(number), " ");
  for (const bool is_on : weekdays) text += is_on ? '1' : '0';
  return static_cast<std::int64_t>(spread_of(text, after) >> 1);  // JSON's numbers have a sign
}

Due next_run(const Schedule& schedule, const Moment& moment, const Zone& zone) {
  auto at = slot_of(schedule, moment, zone);
  if (!at) return {};
  auto extra = schedule.random_delay.count() == 0 ? 0 : static_cast<std::int64_t>(moment.spread % static_cast<std::uint64_t>(schedule.random_delay.count() + 1));
  // Thousands of agents that were started by the same power cut do not ask in the same second.
  if (schedule.kind == Kind::automatic && extra == 0) {
    // Those that a policy or a power cut makes lack something all come for the whole of it: as in quiet times at first.
    const bool is_first = !moment.outbreak && moment.lacking_since > moment.last_start;
    const auto tenth = (is_first ? schedule.every : period_of(schedule, moment)).count() / 10;
    extra = static_cast<std::int64_t>(moment.spread % static_cast<std::uint64_t>(tenth + 1));
  }
  if (schedule.kind == Kind::at_start) return {*at + extra, false};
  const auto missed = [&](std::int64_t slot) {
    const auto due = slot + extra;
    return due < moment.awake_since || due < moment.now - kMissedGrace;
  };
  if (!missed(*at)) return {*at + extra, false};
  // Late all the same: after a start many are, so that the spread counts from there.
  if (schedule.run_missed) return {std::max(*at, moment.awake_since) + extra, true};
  if (schedule.kind == Kind::every || schedule.kind == Kind::automatic) {
    const auto period = std::max<std::int64_t>((schedule.kind == Kind::automatic ? period_of(schedule, moment) : schedule.every).count(), 1);
    const auto behind = std::max(moment.awake_since, moment.now - kMissedGrace) - (*at + extra);
    *at += (behind + period - 1) / period * period;
    return {*at + extra, false};
  }
  while (at && missed(*at)) at = slot_after(schedule, *at, schedule.kind == Kind::daily, zone);
  return at ? Due{*at + extra, false} : Due{};
}

std::string in_words(const Schedule& schedule) {
  std::string out;
  const auto at = cat(" at ", of_time(schedule.time_of_day));
  switch (schedule.kind) {
    case Kind::by_hand: return "by hand";
    case Kind::every: out = cat("every ", of_duration(schedule.every)); break;
    case Kind::daily: out = schedule.every_days == 1 ? cat("daily", at) : cat("every ", std::to_string(schedule.every_days), " days", at); break;
    case Kind::weekly: out = cat(of_weekdays(schedule.weekdays), at); break;
    case Kind::monthly: out = cat("monthly on ", schedule.day == 0 ? std::string("the last day") : cat("day ", std::to_string(schedule.day)), at); break;
    case Kind::at_start: out = "at start"; break;
    case Kind::new_updates: out = "when there are new updates"; break;
    case Kind::after: out = cat("after ", schedule.after, schedule.only_after_success ? " succeeded" : " ended"); break;
    case Kind::automatic: out = cat("automatic, every ", of_duration(schedule.every), ", in an outbreak ", of_duration(schedule.outbreak)); break;
  }
  if (schedule.delay.count() > 0) out += cat(", ", of_duration(schedule.delay), " later");
  if (schedule.random_delay.count() > 0) out += cat(", up to ", of_duration(schedule.random_delay), " at random");
  if (schedule.stop_after.count() > 0) out += cat(", stopped after ", of_duration(schedule.stop_after));
  if (schedule.is_by_clock() && schedule.kind != Kind::at_start && !schedule.run_missed) out += ", missed runs are left out";
  return out;
}

}  // namespace picket::tasks
