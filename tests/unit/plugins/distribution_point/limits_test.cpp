// Address ranges, bandwidth, and what devices ask for.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "address_range.hpp"
#include "bandwidth.hpp"
#include "demand.hpp"

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

TEST(Demand, takes_only_what_it_understands) {
  const auto good = parse_announcement(R"({"device":"d1","components":[{"component":"yara-rules","variants":["full","light"]},{"component":"b","variants":["full"]}]})");
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->wants.size(), 3u);
  for (const char* bad : {"", "[]", "{", R"({"device":"d"})", R"({"device":"","components":[]})", R"({"device":"a b","components":[]})", R"({"components":[]})",
                          R"({"device":"d","components":[{"component":"../x","variants":["full"]}]})", R"({"device":"d","components":[{"component":"a","variants":["huge"]}]})",
                          R"({"device":"d","components":[{"component":"a"}]})", R"({"device":"d","components":[7]})", R"({"device":"d","components":[[[[[[[[[[]]]]]]]]]]})"})
    EXPECT_FALSE(parse_announcement(bad)) << bad;
  std::string many = R"({"device":"d","components":[)";
  for (int i = 0; i < 300; ++i) many += std::string(i ? "," : "") + R"({"component":"c)" + std::to_string(i) + R"(","variants":["full"]})";
  EXPECT_FALSE(parse_announcement(many + "]}"));
}

class Book : public ::testing::Test {
 protected:
  Book() : folder_(std::filesystem::temp_directory_path() / ("picket-demand-" + std::to_string(::getpid()))) { std::filesystem::create_directories(folder_); }
  ~Book() override { std::filesystem::remove_all(folder_); }
  static Announcement of(const std::string& device, const std::string& component) { return {device, {{component, "full"}}}; }
  std::filesystem::path folder_;
};

TEST_F(Book, merges_equal_wishes_and_forgets_the_silent) {
  DemandBook book(folder_ / "demand.json");
  book.set_limits(3, std::chrono::hours(1));
  ASSERT_TRUE(book.announce(of("a", "x"), 1000));
  ASSERT_TRUE(book.announce(of("b", "x"), 2000));
  ASSERT_TRUE(book.announce(of("c", "y"), 2000));
  EXPECT_FALSE(book.announce(of("d", "z"), 2000));  // full
  EXPECT_EQ(book.wants(2000).at({"x", "full"}), (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(book.announce(of("b", "y"), 2000));   // changed its mind
  EXPECT_EQ(book.wants(2000).at({"x", "full"}).size(), 1u);
  EXPECT_TRUE(book.announce(of("d", "z"), 5000));   // a is forgotten
  EXPECT_FALSE(book.wants(5000).contains({"x", "full"}));
}

TEST_F(Book, survives_a_restart_but_not_damage) {
  DemandBook book(folder_ / "demand.json");
  ASSERT_TRUE(book.announce({"a", {{"x", "full"}, {"x", "light"}}}, 1000));
  ASSERT_TRUE(book.save());
  DemandBook again(folder_ / "demand.json");
  EXPECT_TRUE(again.load(1001));
  EXPECT_EQ(again.wants(1001).size(), 2u);
  { std::ofstream(folder_ / "demand.json") << "[{"; }
  DemandBook broken(folder_ / "demand.json");
  EXPECT_FALSE(broken.load(1001));
  EXPECT_EQ(broken.devices(), 0u);
}

}  // namespace
