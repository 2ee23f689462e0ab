#include "settings.hpp"

#include <gtest/gtest.h>

namespace distribution_point {
namespace {

using namespace std::chrono_literals;

TEST(Settings, downloads_come_sooner_after_a_failure_and_slower_the_more_there_are) {
  EXPECT_EQ(until_next(60min, 0), 60min);
  EXPECT_EQ(until_next(60min, 1), 1min);
  EXPECT_EQ(until_next(60min, 2), 2min);
  EXPECT_EQ(until_next(60min, 6), 32min);
  EXPECT_EQ(until_next(60min, 7), 60min);
  EXPECT_EQ(until_next(60min, 4'000'000'000u), 60min);
  EXPECT_EQ(until_next(1min, 3), 1min);
}

TEST(Settings, what_nobody_verifies_is_held_only_where_that_is_set) {
  EXPECT_FALSE(parse_settings(R"({"unverified": "serve"})")->mirror.hold_unverified);
  EXPECT_FALSE(parse_settings("{}")->mirror.hold_unverified);
  EXPECT_TRUE(parse_settings(R"({"unverified": "hold"})")->mirror.hold_unverified);
}

TEST(Settings, a_bandwidth_window_has_both_its_ends_or_none) {
  for (const char* half : {R"("from":"08:00")", R"("to":"18:00")"}) {
    const auto parsed = parse_settings(std::string(R"({"bandwidth":[{"range":"10.0.0.0/8","kb_per_second":1,)") + half + "}]}");
    ASSERT_FALSE(parsed) << half;
    EXPECT_EQ(parsed.error().message, "setting bandwidth: 'from' and 'to' are given together, or neither");
  }
  EXPECT_TRUE(parse_settings(R"({"bandwidth":[{"range":"10.0.0.0/8","kb_per_second":1},{"range":"10.0.0.0/8","kb_per_second":1,"from":"08:00","to":"18:00"}]})"));
}

TEST(Settings, one_address_may_name_as_many_devices_as_is_set) {
  EXPECT_EQ(parse_settings("{}")->most_devices_of_address, 256u);
  EXPECT_EQ(parse_settings(R"({"max_devices_per_address": 9000})")->most_devices_of_address, 9000u);
}

}  // namespace
}  // namespace distribution_point
