#include "update/settings.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picket::update {
namespace {

using ::testing::HasSubstr;
namespace json = boost::json;

std::string why(std::string_view text) {
  const auto parsed = parse_settings(text);
  return parsed ? "ok" : parsed.error().message;
}

TEST(UpdateSettings, an_empty_object_gives_the_defaults_that_the_schema_states) {
  const auto settings = parse_settings("{}").value();
  const auto schema = json::parse(settings_schema_text()).as_object();
  const auto& properties = schema.at("properties").as_object();
  auto stated = [&](std::string_view name) { return properties.at(name).as_object().at("default").as_int64(); };
  EXPECT_EQ(settings.interval.count(), stated("interval_minutes"));
  EXPECT_EQ(settings.keep_sets, static_cast<std::size_t>(stated("keep_sets")));
  EXPECT_EQ(settings.connect_timeout.count(), stated("connect_timeout_seconds"));
  EXPECT_EQ(settings.stall_timeout.count(), stated("stall_timeout_seconds"));
  EXPECT_EQ(settings.min_bytes_per_second, stated("min_bytes_per_second"));
  EXPECT_EQ(settings.rest_after_failure.count(), stated("rest_after_failure_seconds"));
  EXPECT_EQ(settings.longest_rest.count(), stated("longest_rest_seconds"));
  EXPECT_EQ(settings.longest_wish.count(), stated("longest_wish_seconds"));
  EXPECT_EQ(settings.warning_after.count(), stated("warning_after_hours"));
  EXPECT_EQ(settings.critical_after.count(), stated("critical_after_hours"));
  EXPECT_EQ(settings.verify_stored.count(), stated("verify_stored_hours"));
  EXPECT_EQ(settings.confirm_timeout.count(), stated("confirm_timeout_seconds"));
  EXPECT_TRUE(settings.approve_application);
  EXPECT_FALSE(settings.approve_agent);
}

TEST(UpdateSettings, every_property_of_the_schema_has_a_description_and_a_default) {
  const auto schema = json::parse(settings_schema_text()).as_object();
  for (const auto& property : schema.at("properties").as_object()) {
    EXPECT_TRUE(property.value().as_object().contains("description")) << property.key();
    EXPECT_TRUE(property.value().as_object().contains("default")) << property.key();
  }
}

TEST(UpdateSettings, takes_all_members) {
  const auto settings = parse_settings(R"({"sources":[{"name":"a","plugin":"org.picket.source-http","location":"https://x/","options":{"proxy":"p"}},
    {"name":"b","plugin":"org.picket.source-folder","location":"/m","enabled":false}], "interval_minutes":0, "keep_sets":7, "components":["extra"],
    "declined":[{"component":"rules","release":3}], "pinned":[{"component":"rules","release":2}], "approval_needed":["agent"]})").value();
  ASSERT_EQ(settings.sources.size(), 2u);
  EXPECT_EQ(settings.sources[0].options_json, R"({"proxy":"p"})");
  EXPECT_TRUE(settings.sources[0].enabled);
  EXPECT_FALSE(settings.sources[1].enabled);
  EXPECT_FALSE(settings.sources[0].may_hold_back);
  EXPECT_TRUE(settings.sources[1].may_hold_back);
  EXPECT_EQ(settings.interval.count(), 0);
  EXPECT_EQ(settings.keep_sets, 7u);
  EXPECT_EQ(settings.components, std::vector<std::string>{"extra"});
  EXPECT_EQ(settings.declined[0].release, 3u);
  EXPECT_EQ(settings.pinned[0].release, 2u);
  EXPECT_TRUE(settings.approve_agent);
  EXPECT_FALSE(settings.approve_application);
}

TEST(UpdateSettings, a_source_may_have_time_limits_of_its_own) {
  const auto settings = parse_settings(R"({"sources":[{"name":"a","plugin":"p","location":"l","connect_timeout_seconds":3,"stall_timeout_seconds":7},
                                                      {"name":"b","plugin":"p","location":"l"}]})");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->sources[0].connect_timeout, std::chrono::seconds(3));
  EXPECT_EQ(settings->sources[0].stall_timeout, std::chrono::seconds(7));
  EXPECT_EQ(settings->sources[1].connect_timeout, std::nullopt);
  EXPECT_THAT(why(R"({"sources":[{"name":"a","plugin":"p","location":"l","connect_timeout_seconds":121}]})"), HasSubstr("connect_timeout_seconds"));
}

TEST(UpdateSettings, names_the_setting_that_is_wrong) {
  EXPECT_THAT(why("["), HasSubstr("not JSON"));
  EXPECT_THAT(why("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(why(R"({"interval_minutes":-1})"), HasSubstr("interval_minutes: must be a whole number from 0"));
  EXPECT_THAT(why(R"({"keep_sets":"3"})"), HasSubstr("keep_sets"));
  EXPECT_THAT(why(R"({"sources":[{"name":"a","plugin":"p"}]})"), HasSubstr("sources: location"));
  EXPECT_THAT(why(R"({"sources":[{"name":"a","plugin":"p","location":"l"},{"name":"a","plugin":"q","location":"m"}]})"), HasSubstr("two sources are named \"a\""));
  EXPECT_THAT(why(R"({"warning_after_hours":200})"), HasSubstr("critical_after_hours: must be more than warning_after_hours"));
  EXPECT_EQ(why(R"({"pinned":[{"component":"a","release":1},{"component":"b","release":1},{"component":"a","release":2}]})"), "pinned: a is pinned twice");
  EXPECT_THAT(why(R"({"pinned":[{"component":"rules"}],"declined":[{"release":"x","component":"c"}]})"), HasSubstr("declined: release"));
}

TEST(UpdateSettings, tells_of_components_that_nobody_knows_in_one_line_that_is_bounded) {
  const auto unknown = [](std::string_view text) { return unknown_components(parse_settings(text).value(), {"rules"}); };
  EXPECT_EQ(unknown("{}"), "");
  EXPECT_EQ(unknown(R"({"components":["extra"],"declined":[{"component":"rules"}],"pinned":[{"component":"extra","release":1}],"approved":[{"component":"rules","release":2}]})"), "");
  EXPECT_EQ(unknown(R"({"declined":[{"component":"a"},{"component":"a","release":2}],"approved":[{"component":"a"},{"component":"rules"}]})"),
            "settings: declined a, approved a: no such component is offered, and nobody demands it; is the name right?");
  std::string many;
  for (int i = 0; i < 2000; ++i) many += cat(many.empty() ? "" : ",", R"({"component":"c)", std::to_string(i), R"("})");
  EXPECT_THAT(unknown(cat(R"({"declined":[)", many, "]}")), HasSubstr("declined c0, declined c1, declined c2, declined c3, declined c4 and 1995 more: no such component"));
}

}  // namespace
}  // namespace picket::update
