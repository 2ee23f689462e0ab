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

}  // namespace
}  // namespace distribution_point
