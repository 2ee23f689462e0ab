#include "tasks/schedule.hpp"

#include <cstdlib>
#include <ctime>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picket::tasks {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using Kind = Schedule::Kind;

// Central European time by its rule, so that no test depends on what is installed: CET, and CEST from the last Sunday of March 01:00Z to
// the last Sunday of October 01:00Z.
class Berlin final : public Zone {
 public:
  std::int64_t offset_at(std::int64_t at) const override {
    using namespace std::chrono;
    const year_month_day day{floor<days>(sys_seconds(seconds(at)))};
    const auto change = [&](month which) { return (sys_days(day.year() / which / Sunday[last]).time_since_epoch().count() * 86400) + 3600; };
    return at >= change(March) && at < change(October) ? 7200 : 3600;
  }
};
class Fixed final : public Zone {
 public:
  explicit Fixed(std::int64_t offset) : offset_(offset) {}
  std::int64_t offset_at(std::int64_t) const override { return offset_; }

 private:
  std::int64_t offset_;
};
const Berlin berlin;
const Fixed utc(0);

// "2026-03-29T02:30" as if it were UTC.
std::int64_t at(const char* text) {
  std::tm time{};
  EXPECT_NE(::strptime(text, "%Y-%m-%dT%H:%M", &time), nullptr) << text;
  return ::timegm(&time);
}
std::string shown(std::int64_t time) {
  const std::time_t value = time;
  char text[32];
  std::tm out{};
  ::gmtime_r(&value, &out);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M", &out);
  return text;
}

// Nothing was missed unless the test says so.
Moment moment(std::int64_t now, std::int64_t last_start) {
  Moment out;
  out.now = now;
  out.last_start = last_start;
  out.first_seen = last_start == 0 ? now : last_start;
  return out;
}
Schedule daily(hours hour, minutes minute = minutes(0)) {
  Schedule out;
  out.kind = Kind::daily;
  out.time_of_day = hour + minute;
  return out;
}
Schedule every(seconds period) {
  Schedule out;
  out.kind = Kind::every;
  out.every = period;
  return out;
}
// The next `count` runs, each begun when it is due.
std::vector<std::string> runs(const Schedule& schedule, std::int64_t from, int count, const Zone& zone) {
  std::vector<std::string> out;
  auto state = moment(from, 0);
  for (int i = 0; i < count; ++i) {
    const auto due = next_run(schedule, state, zone);
    EXPECT_FALSE(due.missed);
    out.push_back(shown(due.at));
    state = moment(due.at, due.at);
  }
  return out;
}

TEST(Schedule, never_runs_by_the_clock_what_is_not_told_to) {
  for (const auto kind : {Kind::by_hand, Kind::new_updates, Kind::after}) {
    Schedule schedule;
    schedule.kind = kind;
    EXPECT_EQ(next_run(schedule, moment(1000, 0), utc).at, 0);
  }
}

TEST(Schedule, every_counts_from_the_last_start_or_from_when_it_was_defined) {
  EXPECT_EQ(next_run(every(hours(2)), moment(at("2026-05-01T10:00"), 0), utc).at, at("2026-05-01T12:00"));
  EXPECT_EQ(next_run(every(hours(2)), moment(at("2026-05-01T10:30"), at("2026-05-01T10:00")), utc).at, at("2026-05-01T12:00"));
  // Hours are hours, also on the day when clocks change.
  EXPECT_EQ(next_run(every(hours(24)), moment(at("2026-03-28T12:00"), at("2026-03-28T12:00")), berlin).at, at("2026-03-29T12:00"));
}

TEST(Schedule, daily_is_the_same_local_time_all_year) {
  EXPECT_THAT(runs(daily(hours(12)), at("2026-03-27T12:00"), 4, berlin),
              testing::ElementsAre("2026-03-28T11:00", "2026-03-29T10:00", "2026-03-30T10:00", "2026-03-31T10:00"));
  EXPECT_THAT(runs(daily(hours(12)), at("2026-10-23T12:00"), 3, berlin), testing::ElementsAre("2026-10-24T10:00", "2026-10-25T11:00", "2026-10-26T11:00"));
}

TEST(Schedule, a_time_that_does_not_exist_comes_later_and_only_once) {
  // On 2026-03-29 the clock goes from 02:00 to 03:00: 02:30 becomes 03:30 CEST.
  EXPECT_THAT(runs(daily(hours(2), minutes(30)), at("2026-03-27T12:00"), 3, berlin), testing::ElementsAre("2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30"));
}

TEST(Schedule, a_time_that_exists_twice_comes_once) {
  // On 2026-10-25 the clock goes from 03:00 back to 02:00.
  EXPECT_THAT(runs(daily(hours(2), minutes(30)), at("2026-10-24T12:00"), 2, berlin), testing::ElementsAre("2026-10-25T00:30", "2026-10-26T01:30"));
}

TEST(Schedule, works_on_both_sides_of_the_date_line) {
  EXPECT_THAT(runs(daily(hours(0)), at("2026-05-01T12:00"), 2, Fixed(14 * 3600)), testing::ElementsAre("2026-05-02T10:00", "2026-05-03T10:00"));
  EXPECT_THAT(runs(daily(hours(23)), at("2026-05-01T12:00"), 2, Fixed(-12 * 3600)), testing::ElementsAre("2026-05-02T11:00", "2026-05-03T11:00"));
}

TEST(Schedule, every_few_days_counts_from_the_day_it_ran) {
  auto schedule = daily(hours(3));
  schedule.every_days = 3;
  EXPECT_THAT(runs(schedule, at("2026-05-01T12:00"), 3, utc), testing::ElementsAre("2026-05-02T03:00", "2026-05-05T03:00", "2026-05-08T03:00"));
  EXPECT_EQ(shown(next_run(schedule, moment(at("2026-05-05T10:00"), at("2026-05-05T10:00")), utc).at), "2026-05-08T03:00");
}

TEST(Schedule, weekly_names_days) {
  Schedule schedule;
  schedule.kind = Kind::weekly;
  schedule.weekdays = {true, false, false, false, true, false, false};
  schedule.time_of_day = hours(3);
  // 2026-05-01 is a Friday.
  EXPECT_THAT(runs(schedule, at("2026-05-01T02:00"), 4, utc), testing::ElementsAre("2026-05-01T03:00", "2026-05-04T03:00", "2026-05-08T03:00", "2026-05-11T03:00"));
  schedule.weekdays = {};
  schedule.weekdays[6] = true;
  EXPECT_THAT(runs(schedule, at("2026-05-01T02:00"), 2, utc), testing::ElementsAre("2026-05-03T03:00", "2026-05-10T03:00"));
}

TEST(Schedule, monthly_takes_the_last_day_where_a_month_is_shorter) {
  Schedule schedule;
  schedule.kind = Kind::monthly;
  schedule.day = 31;
  schedule.time_of_day = hours(3);
  EXPECT_THAT(runs(schedule, at("2027-12-15T00:00"), 6, utc),
              testing::ElementsAre("2027-12-31T03:00", "2028-01-31T03:00", "2028-02-29T03:00", "2028-03-31T03:00", "2028-04-30T03:00", "2028-05-31T03:00"));
  schedule.day = 29;
  EXPECT_THAT(runs(schedule, at("2027-02-01T00:00"), 2, utc), testing::ElementsAre("2027-02-28T03:00", "2027-03-29T03:00"));
  schedule.day = 0;
  EXPECT_THAT(runs(schedule, at("2027-02-01T00:00"), 3, utc), testing::ElementsAre("2027-02-28T03:00", "2027-03-31T03:00", "2027-04-30T03:00"));
  schedule.day = 1;
  EXPECT_THAT(runs(schedule, at("2027-02-01T04:00"), 2, utc), testing::ElementsAre("2027-03-01T03:00", "2027-04-01T03:00"));
}

TEST(Schedule, at_start_runs_once_after_its_delay) {
  Schedule schedule;
  schedule.kind = Kind::at_start;
  schedule.delay = minutes(5);
  auto state = moment(10'000, 0);
  state.agent_start = 9'900;
  EXPECT_EQ(next_run(schedule, state, utc).at, 10'200);
  state.last_start = 9'000;
  EXPECT_EQ(next_run(schedule, state, utc).at, 10'200) << "it ran before this start";
  state.ran_since_start = true;
  EXPECT_EQ(next_run(schedule, state, utc).at, 0);
}

TEST(Schedule, automatic_asks_more_often_in_an_outbreak_and_not_all_devices_at_once) {
  Schedule schedule;
  schedule.kind = Kind::automatic;
  schedule.every = hours(2);
  schedule.outbreak = minutes(15);
  std::set<std::int64_t> quiet;
  for (int device = 0; device < 200; ++device) {
    auto state = moment(100'000, 100'000);
    state.spread = spread_of("device-" + std::to_string(device), "update");
    const auto due = next_run(schedule, state, utc).at;
    EXPECT_GE(due, 100'000 + 7200);
    EXPECT_LE(due, 100'000 + 7920);
    quiet.insert(due);
    state.outbreak = true;
    const auto soon = next_run(schedule, state, utc).at;
    EXPECT_GE(soon, 100'000 + 900);
    EXPECT_LE(soon, 100'000 + 990);
  }
  EXPECT_GT(quiet.size(), 100U);
}

TEST(Schedule, what_is_lacking_is_brought_without_waiting_and_asked_for_as_in_an_outbreak_until_it_is_there) {
  Schedule schedule;
  schedule.kind = Kind::automatic;
  schedule.every = hours(2);
  schedule.outbreak = minutes(15);
  std::set<std::int64_t> first, addition;
  for (int device = 0; device < 200; ++device) {
    auto state = moment(100'000, 0);
    state.spread = spread_of("device-" + std::to_string(device), "update");
    EXPECT_GE(next_run(schedule, state, utc).at, 107'200) << "it lacks nothing";
    state.first_seen = 50'000;
    state.lacking_since = 100'000;  // a policy named the first source
    const auto due = next_run(schedule, state, utc);
    EXPECT_FALSE(due.missed);
    EXPECT_GE(due.at, 100'000);
    EXPECT_LE(due.at, 100'720);
    first.insert(due.at);
    state.last_start = due.at;
    const auto again = next_run(schedule, state, utc).at;
    EXPECT_GE(again, due.at + 900);
    EXPECT_LE(again, due.at + 990);
    state.lacking_since = 0;
    EXPECT_GE(next_run(schedule, state, utc).at, due.at + 7200) << "it has come";
    // What a policy wants in addition, of all devices at once, is brought by no more of them in a minute.
    state.now = state.lacking_since = 110'000;
    const auto more = next_run(schedule, state, utc).at;
    EXPECT_GE(more, state.now);
    EXPECT_LE(more, state.now + 720);
    addition.insert(more);
    state.outbreak = true;
    EXPECT_LE(next_run(schedule, state, utc).at, state.now + 90);
  }
  EXPECT_GT(first.size(), 100U);
  EXPECT_GT(addition.size(), 100U);
}

TEST(Schedule, an_outbreak_that_is_declared_makes_overdue_tasks_run_soon_and_not_all_devices_at_once) {
  Schedule schedule;
  schedule.kind = Kind::automatic;
  schedule.every = hours(2);
  schedule.outbreak = minutes(15);
  for (const bool run_missed : {true, false})
    for (const auto delay : {seconds(0), seconds(600)}) {
      schedule.run_missed = run_missed;
      schedule.random_delay = delay;
      const auto most = delay.count() == 0 ? 90 : delay.count();
      std::set<std::int64_t> soon;
      for (int device = 0; device < 200; ++device) {
        auto state = moment(100'000, 95'000);
        state.spread = spread_of("device-" + std::to_string(device), "update");
        state.outbreak = true;
        state.outbreak_since = 100'000;
        const auto due = next_run(schedule, state, utc);
        EXPECT_FALSE(due.missed);
        EXPECT_GE(due.at, 100'000);
        EXPECT_LE(due.at, 100'000 + most);
        soon.insert(due.at);
        state.now = due.at + 30;
        EXPECT_EQ(next_run(schedule, state, utc).at, due.at) << "also when somebody looks later";
        state.last_start = due.at;
        EXPECT_EQ(next_run(schedule, state, utc).at, due.at + 900 + (due.at - 100'000)) << "from then on by its period";
      }
      EXPECT_GT(soon.size(), 60U);
    }
}

TEST(Schedule, a_random_delay_is_the_same_every_time_on_one_device) {
  auto schedule = daily(hours(3));
  schedule.random_delay = minutes(30);
  std::set<std::int64_t> delays;
  for (int device = 0; device < 300; ++device) {
    auto state = moment(at("2026-05-01T00:00"), 0);
    state.spread = spread_of("pc-" + std::to_string(device), "nightly");
    const auto first = next_run(schedule, state, utc).at - at("2026-05-01T03:00");
    EXPECT_GE(first, 0);
    EXPECT_LE(first, 1800);
    auto later = moment(at("2026-05-01T04:00"), at("2026-05-01T03:00") + first);
    later.spread = state.spread;
    EXPECT_EQ(next_run(schedule, later, utc).at - at("2026-05-02T03:00"), first);
    delays.insert(first);
  }
  EXPECT_GT(delays.size(), 200U) << "devices are spread";
  EXPECT_LT(*delays.begin(), 60);
  EXPECT_GT(*delays.rbegin(), 1740);
  EXPECT_NE(spread_of("pc", "a"), spread_of("pc", "b"));
  EXPECT_EQ(spread_of("pc", "a"), 5562490919760383753U) << "on every platform, for ever";
}

TEST(Schedule, a_digest_tells_when_a_schedule_begins_otherwise) {
  EXPECT_EQ(digest_of(daily(hours(3))), 8073368088418942168) << "on every platform, for ever";
  auto longer = daily(hours(3));
  longer.stop_after = hours(1);
  EXPECT_EQ(digest_of(longer), digest_of(daily(hours(3)))) << "it begins as before";
  const std::vector<void (*)(Schedule&)> changes{
      [](Schedule& of) { of.kind = Kind::every; }, [](Schedule& of) { of.every = hours(1); }, [](Schedule& of) { of.outbreak = hours(1); }, [](Schedule& of) { of.every_days = 2; },
      [](Schedule& of) { of.weekdays[0] = true; }, [](Schedule& of) { of.weekdays[6] = true; }, [](Schedule& of) { of.day = 1; }, [](Schedule& of) { of.time_of_day = hours(4); },
      [](Schedule& of) { of.delay = hours(1); }, [](Schedule& of) { of.after = "x"; }, [](Schedule& of) { of.only_after_success = false; }, [](Schedule& of) { of.run_missed = false; },
      [](Schedule& of) { of.random_delay = hours(1); }};
  std::set<std::int64_t> digests{digest_of(daily(hours(3)))};
  for (const auto change : changes) {
    auto other = daily(hours(3));
    change(other);
    digests.insert(digest_of(other));
  }
  EXPECT_EQ(digests.size(), changes.size() + 1);
}

TEST(Schedule, a_missed_run_is_made_up_for_once_and_as_soon_as_possible) {
  auto state = moment(at("2026-05-04T09:00"), at("2026-05-01T03:00"));
  state.awake_since = at("2026-05-04T08:59");
  const auto due = next_run(daily(hours(3)), state, utc);
  EXPECT_TRUE(due.missed);
  EXPECT_EQ(shown(due.at), "2026-05-04T08:59");
  state.last_start = state.now;
  EXPECT_EQ(shown(next_run(daily(hours(3)), state, utc).at), "2026-05-05T03:00") << "three were missed, one is made up for";
}

TEST(Schedule, missed_runs_of_many_devices_are_spread_from_the_start) {
  auto schedule = daily(hours(3));
  schedule.random_delay = minutes(30);
  auto state = moment(at("2026-05-04T09:00"), at("2026-05-01T03:00"));
  state.awake_since = at("2026-05-04T09:00");
  state.spread = 1200;  // of 1801
  EXPECT_EQ(shown(next_run(schedule, state, utc).at), "2026-05-04T09:20");
}

TEST(Schedule, missed_runs_can_be_left_out) {
  auto schedule = daily(hours(3));
  schedule.run_missed = false;
  auto state = moment(at("2026-05-04T09:00"), at("2026-05-01T03:00"));
  state.awake_since = at("2026-05-04T08:59");
  EXPECT_EQ(shown(next_run(schedule, state, utc).at), "2026-05-05T03:00");
  auto often = every(hours(2));
  often.run_missed = false;
  const auto due = next_run(often, state, utc);
  EXPECT_FALSE(due.missed);
  EXPECT_EQ(shown(due.at), "2026-05-04T09:00") << "in the rhythm that it had";
}

TEST(Schedule, a_few_seconds_late_is_not_missed) {
  auto schedule = daily(hours(3));
  schedule.run_missed = false;
  auto state = moment(at("2026-05-02T03:00") + 20, at("2026-05-01T03:00"));
  state.awake_since = at("2026-05-01T00:00");
  const auto due = next_run(schedule, state, utc);
  EXPECT_FALSE(due.missed);
  EXPECT_EQ(shown(due.at), "2026-05-02T03:00");
}

TEST(Schedule, a_clock_that_was_ahead_does_not_make_a_task_wait_for_years) {
  const auto now = at("2026-05-01T10:00");
  EXPECT_EQ(settled(at("2036-01-01T00:00"), now), now);
  EXPECT_EQ(settled(now + 600, now), now + 600) << "a small correction is waited for";
  EXPECT_EQ(settled(now - 600, now), now - 600);
  EXPECT_EQ(settled(0, now), 0);
}

TEST(Schedule, a_clock_set_far_forward_runs_once) {
  auto state = moment(at("2036-05-01T10:00"), at("2026-05-01T10:00"));
  state.awake_since = state.now;
  for (auto schedule : {every(hours(2)), daily(hours(3))}) {
    const auto due = next_run(schedule, state, utc);
    EXPECT_TRUE(due.missed);
    EXPECT_EQ(due.at, state.now);
    schedule.run_missed = false;
    EXPECT_GE(next_run(schedule, state, utc).at, state.now - kMissedGrace);
  }
}

TEST(Schedule, local_time_and_back) {
  for (const auto& zone : {static_cast<const Zone*>(&berlin), static_cast<const Zone*>(&utc)})
    for (std::int64_t hour = at("2026-01-01T00:00"); hour < at("2027-01-01T00:00"); hour += 3600) {
      const auto local = hour + zone->offset_at(hour);
      const auto back = from_local(local / 86400, local % 86400, *zone);
      if (back != hour) {
        EXPECT_EQ(shown(hour), "2026-10-25T01:00") << "only the second of two equal hours is not found again";
      }
    }
}

TEST(Schedule, says_itself_in_words) {
  EXPECT_EQ(in_words(Schedule()), "by hand");
  EXPECT_EQ(in_words(every(minutes(90))), "every 90 min");
  EXPECT_EQ(in_words(every(hours(48))), "every 2 days");
  auto schedule = daily(hours(3), minutes(5));
  schedule.random_delay = minutes(10);
  schedule.stop_after = hours(1);
  schedule.run_missed = false;
  EXPECT_EQ(in_words(schedule), "daily at 03:05, up to 10 min at random, stopped after 1 h, missed runs are left out");
  schedule = {};
  schedule.kind = Kind::after;
  schedule.after = "update";
  EXPECT_EQ(in_words(schedule), "after update succeeded");
}

TEST(SystemZone, follows_the_computer) {
  const char* before = ::getenv("TZ");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  EXPECT_EQ(system_zone().offset_at(at("2026-07-01T00:00")), 7200);
  EXPECT_EQ(system_zone().offset_at(at("2026-12-01T00:00")), 3600);
  ::setenv("TZ", "UTC0", 1);
  EXPECT_EQ(system_zone().offset_at(at("2026-07-01T00:00")), 0) << "it was changed meanwhile";
  before == nullptr ? ::unsetenv("TZ") : ::setenv("TZ", kept.c_str(), 1);
}

}  // namespace
}  // namespace picket::tasks
