// Who invents names, or says those of others, takes the point from nobody.
#include <gtest/gtest.h>

#include <fstream>
#include <memory>

#include "base/digest.hpp"
#include "demand.hpp"
#include "support/temporary_folder.hpp"

using namespace distribution_point;
using picket::Address;
using picket::cat;

namespace {

class CrowdedBook : public ::testing::Test {
 protected:
  // As at a start of the point.
  void open(std::int64_t now, const DemandBook::Limits& limits) {
    if (book_) ASSERT_TRUE(book_->keep(now));
    book_ = std::make_unique<DemandBook>(file_);
    book_->set_limits(limits);
    if (!book_->load(now)) book_->adopt({}, now);
  }
  bool says(const char* from, const std::string& device, const char* component, std::int64_t now) {
    return book_->announce(Address::parse(from).value(), {device, {{component, "full"}}}, now).has_value();
  }
  void fetches(const char* from) { book_->note_fetch(Address::parse(from).value()); }
  [[nodiscard]] std::vector<std::string> who_wants(const char* component, std::int64_t now) {
    const auto wants = book_->wants(now);
    const auto found = wants.find({component, "full"});
    return found == wants.end() ? std::vector<std::string>() : found->second;
  }
  using Names = std::vector<std::string>;
  picket::support::TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_.path() / "demand.log";
  std::unique_ptr<DemandBook> book_;
};

TEST_F(CrowdedBook, invented_names_of_one_address_push_only_each_other_out_and_that_is_told) {
  const DemandBook::Limits limits{.devices = 100, .of_one_address = 5};
  open(0, limits);
  ASSERT_TRUE(says("10.0.0.1", "real", "db", 1));
  EXPECT_EQ(book_->crowding(1), "");
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(says("10.0.0.66", cat("fake", std::to_string(i)), "junk", 2 + i));
  EXPECT_EQ(book_->counts().devices, 6u);
  EXPECT_EQ(book_->counts().displaced, 995u);
  EXPECT_EQ(book_->crowding(1002), "10.0.0.66 names more than 5 devices (setting max_devices_per_address): those that fetched nothing or were silent longest are forgotten");
  EXPECT_EQ(who_wants("db", 1002), Names{"real"});
  EXPECT_EQ(who_wants("junk", 1002), (Names{"fake995", "fake996", "fake997", "fake998", "fake999"}));
  open(1002, limits);
  EXPECT_EQ(who_wants("db", 1002), Names{"real"}) << "also after a start";
  EXPECT_EQ(book_->counts().devices, 6u);
  EXPECT_EQ(book_->counts().displaced, 0u);
  EXPECT_EQ(book_->crowding(1002), "");
}

TEST_F(CrowdedBook, all_addresses_of_an_ipv6_network_are_one_sender) {
  open(0, {.devices = 100, .of_one_address = 2});
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(says(cat("fd00::1:", std::to_string(i)).c_str(), cat("fake", std::to_string(i)), "junk", i));
  ASSERT_TRUE(says("fd00:0:0:1::1", "other", "db", 9));
  EXPECT_EQ(book_->counts().devices, 3u);
  EXPECT_TRUE(book_->crowding(9).starts_with("fd00::/64 names more than 2 devices")) << book_->crowding(9);
}

TEST_F(CrowdedBook, is_never_closed_to_a_newcomer_and_first_forgets_who_fetched_nothing_also_after_a_start) {
  const DemandBook::Limits limits{.devices = 10, .of_one_address = 5};
  open(0, limits);
  ASSERT_TRUE(says("10.0.0.1", "worker", "db", 0));
  fetches("10.0.0.1");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(says(cat("10.0.1.", std::to_string(i)).c_str(), "fake", "junk", 10 + i));
  open(100, limits);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(says(cat("10.0.2.", std::to_string(i)).c_str(), "fake", "junk", 100 + i));
  EXPECT_EQ(who_wants("db", 150), Names{"worker"});
  EXPECT_TRUE(says("10.0.0.2", "late", "db", 150));
  EXPECT_EQ(who_wants("db", 150), (Names{"late", "worker"}));
  EXPECT_EQ(book_->counts().devices, 10u);
  EXPECT_EQ(book_->crowding(150), "as many devices are known as setting max_devices allows (10), and others take their places: those that fetched nothing or were silent longest are forgotten");
  book_->set_limits({.devices = 20});
  EXPECT_EQ(book_->crowding(150 + 86'400), "") << "nobody gave way for a day";
}

TEST_F(CrowdedBook, a_name_said_by_another_address_replaces_nothing_and_what_a_device_left_behind_lapses_sooner) {
  constexpr std::int64_t hour = 3600;
  open(0, {});
  ASSERT_TRUE(says("10.0.0.1", "laptop", "db", 0));
  ASSERT_TRUE(book_->announce(Address::parse("10.0.0.66").value(), {"laptop", {}}, hour));
  EXPECT_EQ(who_wants("db", hour), Names{"laptop"});
  ASSERT_TRUE(says("10.0.0.1", "laptop", "db", 12 * hour));
  ASSERT_TRUE(book_->announce(Address::parse("10.0.0.66").value(), {"laptop", {}}, 13 * hour));
  EXPECT_EQ(who_wants("db", 35 * hour), Names{"laptop"}) << "it was heard of within a day";
  ASSERT_TRUE(says("10.0.0.7", "laptop", "db", 35 * hour));
  EXPECT_EQ(who_wants("db", 35 * hour), Names{"laptop"}) << "two wishes of one name are one asker";
  EXPECT_EQ(book_->counts().devices, 3u);
  EXPECT_EQ(who_wants("db", 48 * hour), Names{"laptop"});
  EXPECT_EQ(book_->counts().devices, 1u) << "it moved to 10.0.0.7";
  EXPECT_EQ(who_wants("db", (35 + 7 * 24) * hour), Names{"laptop"});
  EXPECT_EQ(who_wants("db", (35 + 7 * 24 + 1) * hour), Names{});
}

TEST_F(CrowdedBook, takes_wishes_that_an_earlier_version_wrote_without_an_address_over_once_their_device_speaks) {
  {
    std::ofstream out(file_);
    for (const std::string record : {R"({"time":50})", R"({"device":"a","heard":10,"components":[{"component":"db","variants":["full"]}]})",
                                     R"({"device":"b","heard":20,"components":[{"component":"db","variants":["full"]}]})"})
      out << "\n" << picket::sha256_hex(record).substr(0, 16) << " " << record << "\n";
  }
  open(0, {});
  EXPECT_EQ(who_wants("db", 0), (Names{"a", "b"}));
  ASSERT_TRUE(says("10.0.0.1", "a", "rules", 1));
  for (int start = 0; start < 3; ++start) {
    EXPECT_EQ(who_wants("db", 1), Names{"b"}) << start;
    EXPECT_EQ(who_wants("rules", 1), Names{"a"}) << start;
    EXPECT_EQ(book_->counts().devices, 2u) << start;
    open(1, {});
  }
}

TEST_F(CrowdedBook, wishes_that_fill_the_file_make_room_for_the_next_ones) {
  book_ = std::make_unique<DemandBook>(file_, 20'000);
  book_->adopt({}, 0);
  ASSERT_TRUE(says("10.0.0.1", "worker", "db", 0));
  fetches("10.0.0.1");
  for (int i = 0; i < 40; ++i) {
    Announcement large{cat("fake", std::to_string(i)), {}};
    for (int n = 0; n < 50; ++n) large.wants.insert({cat("component-", std::to_string(i), "-", std::to_string(n)), "full"});
    ASSERT_TRUE(book_->announce(Address::parse("10.0.0.66").value(), large, i));
    ASSERT_TRUE(book_->wants(i).contains(*large.wants.begin())) << i;
  }
  EXPECT_EQ(who_wants("db", 40), Names{"worker"});
  EXPECT_LE(std::filesystem::file_size(file_), 20'000u);
  EXPECT_EQ(book_->crowding(40), "more is asked for than demand.log can hold: those that fetched nothing or were silent longest are forgotten");
}

}  // namespace
