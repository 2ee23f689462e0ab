#include "core/clock.hpp"

#include <gtest/gtest.h>

namespace picket::core {
namespace {

TEST(Clock, wall_time_is_unix_time_and_monotonic_time_never_goes_back) {
  EXPECT_GT(system_clock().wall_seconds(), 1'600'000'000);
  EXPECT_LT(system_clock().wall_seconds(), 40'000'000'000);
  auto last = system_clock().monotonic();
  for (int i = 0; i < 1000; ++i) {
    const auto now = system_clock().monotonic();
    ASSERT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace picket::core
