#include "tasks/definition.hpp"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/schema.hpp"

namespace picket::tasks {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using Kind = Schedule::Kind;
using testing::HasSubstr;

Settings read(std::string_view text, seconds update_every = hours(2)) {
  auto settings = parse_settings(text, update_every);
  EXPECT_TRUE(settings) << settings.error().message;
  return settings ? std::move(*settings) : Settings();
}
Definition task(std::string_view body) {
  for (auto& each : read(cat(R"({"tasks":{"x":)", body, "}}")).tasks)
    if (each.id == "x") return each;
  ADD_FAILURE() << "no task x";
  return {};
}
std::string why_not(std::string_view text) {
  const auto settings = parse_settings(text, hours(2));
  return settings ? "" : settings.error().message;
}
// What the host checks before the settings get here.
std::string against_schema(std::string_view text) {
  const auto schema = policy::CompiledSchema::compile(settings_schema_text());
  if (!schema) return schema.error().message;
  const auto found = schema->check(boost::json::parse(text));
  return found ? policy::format_name(found->path) + ": " + found->what : "";
}

TEST(TaskSettings, an_update_is_built_in_and_follows_the_interval) {
  auto settings = read("{}", minutes(90));
  ASSERT_EQ(settings.tasks.size(), 1U);
  const auto& update = settings.tasks.front();
  EXPECT_EQ(update.id, "update");
  EXPECT_EQ(update.type, "update");
  EXPECT_EQ(update.schedule.kind, Kind::automatic);
  EXPECT_EQ(update.schedule.every, minutes(90));
  EXPECT_EQ(update.schedule.outbreak, minutes(15));
  EXPECT_EQ(read("{}", minutes(10)).tasks.front().schedule.outbreak, minutes(10)) << "an outbreak never makes it rarer";
  EXPECT_EQ(read("{}", seconds(0)).tasks.front().schedule.kind, Kind::by_hand);
}

TEST(TaskSettings, what_is_said_of_the_update_replaces_what_is_built_in) {
  const auto nightly = read(R"({"tasks":{"update":{"schedule":{"daily":{"at":"03:00"}},"options":{"force":true}}}})").tasks.front();
  EXPECT_EQ(nightly.type, "update");
  EXPECT_EQ(nightly.schedule.kind, Kind::daily);
  EXPECT_EQ(nightly.options_json, R"({"force":true})");
  EXPECT_EQ(read(R"({"tasks":{"update":{"schedule":{}}}})").tasks.front().schedule.kind, Kind::by_hand);
  const auto delayed = read(R"({"tasks":{"update":{"stop_after":{"hours":1}}}})").tasks.front();
  EXPECT_EQ(delayed.schedule.kind, Kind::automatic);
  EXPECT_EQ(delayed.schedule.stop_after, hours(1));
  EXPECT_FALSE(read(R"({"tasks":{"update":{"enabled":false}}})").tasks.front().enabled);
}

TEST(TaskSettings, reads_every_schedule) {
  EXPECT_EQ(task(R"({"schedule":{"every":{"seconds":5}}})").schedule.every, seconds(5));
  EXPECT_EQ(task(R"({"schedule":{"every":{"days":2}}})").schedule.every, hours(48));
  EXPECT_EQ(task(R"({})").schedule.kind, Kind::by_hand);
  EXPECT_EQ(task(R"({})").type, "x") << "the type is the id when nothing else is said";
  const auto daily = task(R"({"type":"update","schedule":{"daily":{"at":"23:59","every_days":3}},"run_missed":false,"random_delay":{"minutes":10}})");
  EXPECT_EQ(daily.type, "update");
  EXPECT_EQ(daily.schedule.time_of_day, hours(23) + minutes(59));
  EXPECT_EQ(daily.schedule.every_days, 3U);
  EXPECT_FALSE(daily.schedule.run_missed);
  EXPECT_EQ(daily.schedule.random_delay, minutes(10));
  const auto weekly = task(R"({"schedule":{"weekly":{"days":["tue","sun"],"at":"00:00"}}})");
  EXPECT_EQ(weekly.schedule.weekdays, (std::array<bool, 7>{false, true, false, false, false, false, true}));
  EXPECT_EQ(task(R"({"schedule":{"monthly":{"day":31,"at":"03:00"}}})").schedule.day, 31U);
  EXPECT_EQ(task(R"({"schedule":{"monthly":{"day":"last","at":"03:00"}}})").schedule.day, 0U);
  EXPECT_EQ(task(R"({"schedule":{"at_start":{"delay":{"minutes":5}}}})").schedule.delay, minutes(5));
  EXPECT_EQ(task(R"({"schedule":{"new_updates":{}}})").schedule.kind, Kind::new_updates);
  const auto after = task(R"({"schedule":{"after":{"task":"update","on":"any"}}})");
  EXPECT_EQ(after.schedule.after, "update");
  EXPECT_FALSE(after.schedule.only_after_success);
  EXPECT_TRUE(task(R"({"schedule":{"after":{"task":"update"}}})").schedule.only_after_success);
  const auto automatic = task(R"({"schedule":{"automatic":{}}})");
  EXPECT_EQ(automatic.schedule.every, hours(2));
  EXPECT_EQ(automatic.schedule.outbreak, minutes(15));
}

TEST(TaskSettings, tasks_that_wait_for_nothing_or_for_each_other_are_refused) {
  EXPECT_THAT(why_not(R"({"tasks":{"x":{"schedule":{"after":{"task":"y"}}}}})"), HasSubstr("tasks.x.schedule.after: there is no task 'y'"));
  EXPECT_THAT(why_not(R"({"tasks":{"x":{"schedule":{"after":{"task":"x"}}}}})"), HasSubstr("circle"));
  EXPECT_THAT(why_not(R"({"tasks":{"x":{"schedule":{"after":{"task":"z"}}},"y":{"schedule":{"after":{"task":"x"}}},"z":{"schedule":{"after":{"task":"y"}}}}})"), HasSubstr("circle"));
  EXPECT_EQ(why_not(R"({"tasks":{"x":{"schedule":{"after":{"task":"update"}}},"y":{"schedule":{"after":{"task":"x"}}}}})"), "") << "update is always there";
  EXPECT_THAT(why_not("{"), HasSubstr("not JSON"));
}

TEST(TaskSettings, options_that_no_message_could_hold_are_refused_in_one_line) {
  const auto with = [](std::size_t bytes) { return cat(R"({"tasks":{"x":{"options":{"a":")", std::string(bytes - 8, 'a'), R"("}}}})"); };
  EXPECT_EQ(read(with(kMaxOptions)).tasks.back().options_json.size(), kMaxOptions);
  EXPECT_EQ(why_not(with(kMaxOptions + 1)), "tasks.x.options: they have 40001 bytes, at most 40000 are taken");
}

TEST(TaskSettings, the_schema_refuses_what_is_malformed) {
  EXPECT_EQ(against_schema("{}"), "");
  EXPECT_EQ(against_schema(R"({"outbreak":true,"tasks":{"nightly":{"type":"update","schedule":{"daily":{"at":"03:00"}},"random_delay":{"minutes":10}}}})"), "");
  for (const auto* bad : {R"({"tasks":{"N":{}}})", R"({"tasks":{"x":{"schedule":{"daily":{"at":"24:00"}}}}})", R"({"tasks":{"x":{"schedule":{"daily":{}}}}})",
                          R"({"tasks":{"x":{"schedule":{"every":{"hours":1},"daily":{"at":"03:00"}}}}})", R"({"tasks":{"x":{"schedule":{"every":{}}}}})",
                          R"({"tasks":{"x":{"schedule":{"every":{"hours":1,"minutes":1}}}}})", R"({"tasks":{"x":{"schedule":{"every":{"minutes":0}}}}})",
                          R"({"tasks":{"x":{"schedule":{"weekly":{"days":[],"at":"03:00"}}}}})", R"({"tasks":{"x":{"schedule":{"monthly":{"day":32,"at":"03:00"}}}}})",
                          R"({"tasks":{"x":{"shedule":{}}}})", R"({"tasks":{"x":{"type":"No Type"}}})", R"({"at_once":0})"})
    EXPECT_NE(against_schema(bad), "") << bad;
}

}  // namespace
}  // namespace picket::tasks
