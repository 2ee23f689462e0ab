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

TEST(Settings, one_address_may_name_as_many_devices_as_is_set) {
  EXPECT_EQ(parse_settings("{}")->most_devices_of_address, 256u);
  EXPECT_EQ(parse_settings(R"({"max_devices_per_address": 9000})")->most_devices_of_address, 9000u);
}

}  // namespace
}  // namespace distribution_point
