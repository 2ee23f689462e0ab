// Address ranges and bandwidth.
#include <gtest/gtest.h>

#include <filesystem>

#include "address_range.hpp"
#include "bandwidth.hpp"

using namespace distribution_point;
using picket::Address;
using picket::AddressRange;

namespace {

bool lies_in(const char* range, const char* address) { return AddressRange::parse(range).value().contains(Address::parse(address).value()); }

TEST(AddressRange, contains_what_its_prefix_says) {
  EXPECT_TRUE(lies_in("10.0.0.0/8", "10.255.1.2"));
  EXPECT_FALSE(lies_in("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(lies_in("10.1.2.0/23", "10.1.3.255"));
  EXPECT_FALSE(lies_in("10.1.2.0/23", "10.1.4.0"));
  EXPECT_TRUE(lies_in("0.0.0.0/0", "255.255.255.255"));
  EXPECT_TRUE(lies_in("192.168.1.5", "192.168.1.5"));
  EXPECT_TRUE(lies_in("fd00::/8", "fdff::1"));
  EXPECT_FALSE(lies_in("::/0", "10.0.0.1"));
  EXPECT_FALSE(lies_in("0.0.0.0/0", "::1"));
  EXPECT_TRUE(lies_in("10.0.0.0/8", "::ffff:10.1.1.1"));
}

TEST(AddressRange, around_an_address_is_the_range_of_a_width_that_it_lies_in) {
  const auto around = [](const char* address, unsigned prefix) { return AddressRange::around(Address::parse(address).value(), prefix); };
  EXPECT_EQ(around("10.1.2.3", 96 + 8).text(), "10.0.0.0/8");
  EXPECT_EQ(around("10.1.2.3", 128).text(), "10.1.2.3/32");
  EXPECT_EQ(around("fd12::1", 8).text(), "fd00::/8");
  EXPECT_FALSE(around("10.1.2.3", 8).contains(Address::parse("10.1.2.3").value())) << "no range of IPv4 is as wide";
}

TEST(AddressRange, says_what_is_wrong) {
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "x", "10.0.0.0/", "10.0.0.0/-1", "::1/129", "10.0.0.0/8x"}) {
    const auto parsed = AddressRange::parse(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_NE(parsed.error().message.find("'"), std::string::npos);
  }
  EXPECT_EQ(AddressRange::parse("10.0.0.0/8")->text(), "10.0.0.0/8");
}

TEST(Window, knows_midnight_and_days) {
  const Window night{.days = 1u << 1, .from = 22 * 60, .to = 6 * 60};  // begins on Monday
  EXPECT_TRUE(night.contains(1, 23 * 60));
  EXPECT_TRUE(night.contains(2, 5 * 60));
  EXPECT_FALSE(night.contains(2, 23 * 60));
  EXPECT_FALSE(night.contains(1, 5 * 60));
  const Window whole{.days = 1u << 1, .from = 8 * 60, .to = 8 * 60};  // the 24 hours that begin on Monday
  EXPECT_FALSE(whole.contains(1, 7 * 60));
  EXPECT_TRUE(whole.contains(1, 8 * 60));
  EXPECT_TRUE(whole.contains(2, 7 * 60));
  EXPECT_FALSE(whole.contains(2, 8 * 60));
  const Window work{.days = 0x7f, .from = 8 * 60, .to = 18 * 60};
  EXPECT_TRUE(work.contains(0, 8 * 60));
  EXPECT_FALSE(work.contains(0, 18 * 60));
  const Window sunday_night{.days = 1u << 6, .from = 23 * 60, .to = 60};
  EXPECT_TRUE(sunday_night.contains(0, 30));
}

TEST(Bandwidth, gives_no_more_than_the_rate_over_time) {
  Bandwidth bandwidth({{AddressRange::parse("10.0.0.0/8").value(), 1'000'000, {}}});
  ASSERT_EQ(bandwidth.rule_for(Address::parse("10.1.1.1").value(), 0, 0), 0u);
  EXPECT_EQ(bandwidth.rule_for(Address::parse("11.1.1.1").value(), 0, 0), std::nullopt);
  auto now = Bandwidth::Clock::time_point(std::chrono::hours(1));
  const auto end = now + std::chrono::seconds(10);
  std::uint64_t sent = 0;
  while (now < end) {
    Bandwidth::Clock::time_point later;
    const auto got = bandwidth.take(0, 100'000, now, later);
    sent += got;
    if (got == 0) {
      ASSERT_GT(later, now);  // else it would spin
      now = later;
    }
  }
  EXPECT_GE(sent, 9'900'000u);
  EXPECT_LE(sent, 10'300'000u);  // the first burst
}

}  // namespace
