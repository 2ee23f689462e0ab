// Whose device this is, and which point comes first.
#include <gtest/gtest.h>

#include "device.hpp"
#include "points.hpp"
#include "scope.hpp"

using namespace source_distribution_point;
using picket::Address;
using picket::AddressRange;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

Device device() {
  return {"pc-042", {"Berlin/Floor 2"}, {Address::parse("10.1.2.3").value(), Address::parse("fd00::5").value()}, {Address::parse("10.1.0.1").value()}, {"berlin.example.org"}};
}
Network network(std::vector<const char*> ranges, std::vector<const char*> gateways = {}, std::vector<std::string> domains = {}) {
  Network out;
  for (const auto* range : ranges) out.ranges.push_back(AddressRange::parse(range).value());
  for (const auto* gateway : gateways) out.gateways.push_back(Address::parse(gateway).value());
  out.domains = std::move(domains);
  return out;
}

TEST(Scope, is_everybody_where_nothing_is_said) { EXPECT_TRUE(Scope().contains(device())); }

TEST(Scope, is_one_of_devices_groups_or_networks) {
  EXPECT_TRUE((Scope{.devices = {"pc-1", "pc-042"}, .groups = {}, .networks = {}}).contains(device()));
  EXPECT_FALSE((Scope{.devices = {"pc-1"}, .groups = {}, .networks = {}}).contains(device()));
  EXPECT_TRUE((Scope{.devices = {"pc-1"}, .groups = {"Berlin"}, .networks = {}}).contains(device()));       // a subgroup of it
  EXPECT_FALSE((Scope{.devices = {}, .groups = {"Ber"}, .networks = {}}).contains(device()));
  EXPECT_FALSE((Scope{.devices = {}, .groups = {"Berlin/Floor 2/Room 1"}, .networks = {}}).contains(device()));
  EXPECT_TRUE((Scope{.devices = {}, .groups = {}, .networks = {network({"10.2.0.0/16"}), network({"10.1.0.0/16"})}}).contains(device()));
  EXPECT_EQ((Scope{.devices = {}, .groups = {"Berlin"}, .networks = {}}).why(device()), "group Berlin");
}

TEST(Network, wants_all_that_it_names) {
  EXPECT_TRUE(network({"10.1.0.0/16"}, {"10.1.0.1"}, {"example.org"}).contains(device()));
  EXPECT_FALSE(network({"10.1.0.0/16"}, {"10.9.0.1"}, {"example.org"}).contains(device()));
  EXPECT_FALSE(network({"10.2.0.0/16"}, {"10.1.0.1"}).contains(device()));
  EXPECT_TRUE(network({"10.2.0.0/16", "fd00::/8"}).contains(device()));
  EXPECT_TRUE(network({}, {"10.1.0.1"}).contains(device()));
  EXPECT_TRUE(network({}, {}, {"berlin.example.org"}).contains(device()));
  EXPECT_FALSE(network({}, {}, {"erlin.example.org"}).contains(device()));
  EXPECT_FALSE(network({}).contains(device()));
}

class Order : public ::testing::Test {
 protected:
  [[nodiscard]] std::string names() const {
    std::string out;
    for (const auto& point : points_.order(all_, device(), now_)) out += point.name;
    return out;
  }
  Points points_;
  std::vector<Point> all_ = {{"a", "http://a/", "", {}}, {"b", "http://b/", "", {}}, {"c", "http://c/", "", {}}, {"x", "http://x/", "", {.devices = {"other"}, .groups = {}, .networks = {}}}};
  Points::Clock::time_point now_ = Points::Clock::time_point(std::chrono::hours(1));
};

TEST_F(Order, is_that_of_the_settings_until_something_is_known) { EXPECT_EQ(names(), "abc"); }

TEST_F(Order, puts_the_nearest_first_and_the_unreachable_last) {
  points_.measured("http://a/", milliseconds(30), now_);
  points_.measured("http://b/", std::nullopt, now_);
  points_.measured("http://c/", milliseconds(2), now_);
  EXPECT_EQ(names(), "cab");
}

TEST_F(Order, puts_the_ill_behind_the_healthy_until_their_rest_is_over) {
  points_.measured("http://a/", milliseconds(1), now_);
  points_.measured("http://b/", milliseconds(5), now_);
  points_.measured("http://c/", milliseconds(9), now_);
  points_.failed("http://a/", now_);
  EXPECT_EQ(names(), "bca");
  now_ += seconds(61);
  EXPECT_EQ(names(), "abc");
  points_.failed("http://a/", now_);  // again: rests longer
  now_ += seconds(61);
  EXPECT_EQ(names(), "bca");
  points_.worked("http://a/", now_);
  EXPECT_EQ(names(), "abc");
}

TEST_F(Order, is_measured_only_where_there_is_a_choice_and_again_after_a_while) {
  EXPECT_FALSE(points_.wants_measuring({"http://a/"}, now_));
  EXPECT_TRUE(points_.wants_measuring({"http://a/", "http://b/"}, now_));
  points_.measured("http://a/", milliseconds(1), now_);
  points_.measured("http://b/", std::nullopt, now_);
  EXPECT_FALSE(points_.wants_measuring({"http://a/", "http://b/"}, now_));
  EXPECT_TRUE(points_.wants_measuring({"http://a/", "http://b/"}, now_ + std::chrono::minutes(10)));
}

TEST(ThisDevice, is_read_from_the_systems_files) {
  const auto v4 = parse_routes_v4(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
      "eth0\t00000000\t0100010A\t0003\t0\t0\t0\t00000000\n"
      "eth0\t0000010A\t00000000\t0001\t0\t0\t0\t0000FFFF\n"
      "garbage\n");
  ASSERT_EQ(v4.size(), 1u);
  EXPECT_EQ(v4[0].text(), "10.1.0.1");
  const auto v6 = parse_routes_v6(
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000000 00000000 00000003 eth0\n"
      "fd000000000000000000000000000000 08 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000000 00000000 00000001 eth0\n");
  ASSERT_EQ(v6.size(), 1u);
  EXPECT_EQ(v6[0].text(), "fe80::1");
  EXPECT_EQ(parse_domains("# search no.example\nnameserver 1.1.1.1\nsearch A.example. b.example # c.example\ndomain b.example\n"), (std::vector<std::string>{"a.example", "b.example"}));
  const auto here = look_at_this_device();
  EXPECT_FALSE(here.id.empty());
  EXPECT_NE(std::find(here.addresses.begin(), here.addresses.end(), Address::parse("127.0.0.1").value()), here.addresses.end());
}

}  // namespace
