// What devices ask for: taken under limits, and never lost once it was accepted.
#include "demand.hpp"

#include "http_request.hpp"

#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <set>

#include "support/small_disk.hpp"
#include "support/temporary_folder.hpp"

using namespace distribution_point;
using picket::cat;

namespace {

// Of names with 64 characters, as many as a name of a component may have.
std::string many(int components) {
  std::string out = R"({"device":"d","components":[)";
  for (int i = 0; i < components; ++i) out += cat(i ? "," : "", R"({"component":"c)", std::string(59, 'x'), std::to_string(1000 + i), R"(","variants":["light"]})");
  return out + "]}";
}

TEST(Demand, takes_only_what_it_understands) {
  const auto good = parse_announcement(R"({"device":"d1","components":[{"component":"yara-rules","variants":["full","light"]},{"component":"b","variants":["full"]}]})");
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->wants.size(), 3u);
  for (const char* bad : {"", "[]", "{", R"({"device":"d"})", R"({"device":"","components":[]})", R"({"device":"a b","components":[]})", R"({"components":[]})",
                          R"({"device":"d","components":[{"component":"../x","variants":["full"]}]})", R"({"device":"d","components":[{"component":"a","variants":["huge"]}]})",
                          R"({"device":"d","components":[{"component":"a"}]})", R"({"device":"d","components":[7]})", R"({"device":"d","components":[[[[[[[[[[]]]]]]]]]]})"})
    EXPECT_FALSE(parse_announcement(bad)) << bad;
  EXPECT_EQ(parse_announcement(many(2049)).error().message, "more than 2048 wishes");
}

TEST(Demand, takes_a_device_with_a_thousand_components_and_the_longest_names) {
  const auto text = many(2048);
  EXPECT_LE(text.size(), kMostBody);
  const auto good = parse_announcement(text);
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->wants.size(), 2048u);
}

class Book : public ::testing::Test {
 protected:
  static Announcement of(const std::string& device, const std::string& component) { return {device, {{component, "full"}}}; }
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "demand.log"; }
  [[nodiscard]] std::string bytes() const { return picket::read_file(file(), 1u << 20).value_or(""); }
  void write(std::string_view all) const { std::ofstream(file(), std::ios::binary) << all; }
  void fill(int devices) const {
    DemandBook book(file());
    (void)book.load(0);
    book.adopt({}, 0);
    for (int i = 0; i < devices; ++i) ASSERT_TRUE(book.announce(here_, of(cat("pc-", std::to_string(i)), cat("c", std::to_string(i))), i));
  }
  static picket::Address at(std::string_view address) { return picket::Address::parse(address).value(); }
  const picket::Address here_ = at("10.0.0.1");
  picket::support::TemporaryFolder folder_;
};

TEST_F(Book, merges_equal_wishes_and_forgets_the_silent) {
  DemandBook book(file());
  (void)book.load(900);
  book.set_limits({.lasts = std::chrono::hours(1)});
  ASSERT_TRUE(book.announce(here_, of("a", "x"), 1000));
  ASSERT_TRUE(book.announce(here_, of("b", "x"), 2000));
  ASSERT_TRUE(book.announce(here_, of("c", "y"), 2000));
  EXPECT_EQ(book.wants(2000).at({"x", "full"}), (std::vector<std::string>{"a", "b"}));
  ASSERT_TRUE(book.announce(here_, of("b", "y"), 2000));   // changed its mind
  EXPECT_EQ(book.wants(2000).at({"x", "full"}).size(), 1u);
  EXPECT_FALSE(book.wants(5000).contains({"x", "full"}));   // a is forgotten
}

TEST_F(Book, has_each_wish_that_it_accepted_after_a_kill_at_that_moment) {
  for (int last = 1; last <= 8; ++last) {
    std::filesystem::remove(file());
    const pid_t child = ::fork();
    if (child == 0) {
      DemandBook book(file());
      (void)book.load(0);
      book.adopt({}, 0);
      for (int i = 0; i < last; ++i)
        if (!book.announce(here_, {cat("pc-", std::to_string(i % 5)), {{cat("c", std::to_string(i)), "full"}, {"x", "light"}}}, i)) ::_exit(1);
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    DemandBook book(file());
    EXPECT_TRUE(book.load(0));
    EXPECT_EQ(book.counts().devices, static_cast<std::size_t>(std::min(last, 5)));
    for (int i = std::max(0, last - 5); i < last; ++i) EXPECT_TRUE(book.wants(0).contains({cat("c", std::to_string(i)), "full"})) << i << " of " << last;
  }
}

TEST_F(Book, loses_no_more_than_the_record_that_a_flipped_bit_hit_and_says_that_something_is_lost) {
  constexpr int kDevices = 6;
  fill(kDevices);
  const auto good = bytes();
  int lost = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 7)));
    write(bad);
    DemandBook book(file());
    EXPECT_FALSE(book.load(0)) << at;
    EXPECT_GE(book.counts().devices, kDevices - 1u) << at;
    lost += book.counts().devices < kDevices;
    // What is served for whoever it was stays, also after another start.
    book.adopt({{"c2", "full"}, {"c3", "full"}}, 0);
    DemandBook again(file());
    EXPECT_TRUE(again.load(0)) << at;
    EXPECT_GE(again.counts().devices, kDevices * 1u);
    EXPECT_TRUE(again.wants(0).contains({"c2", "full"}) && again.wants(0).contains({"c3", "full"})) << at;
    again.set_limits({.lasts = std::chrono::hours(1)});
    EXPECT_TRUE(again.wants(3601).empty()) << "nor for ever";
  }
  EXPECT_GT(lost, 100);
}

TEST_F(Book, knows_a_list_that_was_cut_off_emptied_or_taken_away_for_damaged) {
  fill(3);
  const auto good = bytes();
  for (std::size_t length = 0; length < good.size(); ++length) {
    write(good.substr(0, length));
    DemandBook book(file());
    // Without the last line end, or between two records, nothing shows it.
    const bool at_a_border = length > 0 && (good[length] == '\n' || good[length - 1] == '\n') && length > 20;
    EXPECT_EQ(book.load(0), at_a_border) << length;
  }
  std::filesystem::remove(file());
  EXPECT_FALSE(DemandBook(file()).load(0));
}

TEST_F(Book, counts_its_own_time_whatever_clocks_say) {
  {
    DemandBook book(file());
    (void)book.load(1'000'000);
    book.adopt({}, 1'000'000);
    ASSERT_TRUE(book.announce(here_, of("a", "x"), 1'000'000));
    ASSERT_TRUE(book.announce(here_, of("b", "y"), 1'000'000 + 6 * 86'400));
    ASSERT_TRUE(book.keep(1'000'000 + 6 * 86'400));
  }
  // The computer was started anew: its clock begins at nothing; and whatever time has passed meanwhile, nobody could be heard.
  DemandBook book(file());
  ASSERT_TRUE(book.load(5));
  EXPECT_EQ(book.wants(5).size(), 2u);
  EXPECT_EQ(book.wants(1).size(), 2u);                     // back
  EXPECT_EQ(book.wants(5).size(), 2u);
  EXPECT_EQ(book.wants(5 + 86'000).size(), 2u);
  EXPECT_EQ(book.wants(5 + 86'500).size(), 1u);            // seven days of its time
  EXPECT_TRUE(book.wants(5 + 86'500).contains({"y", "full"}));
}

TEST_F(Book, stays_short_however_often_devices_change_their_minds) {
  DemandBook book(file());
  (void)book.load(0);
  book.adopt({}, 0);
  std::set<ComponentVariant> wants;
  for (int i = 0; i < 100; ++i) wants.insert({cat("component-with-a-name-", std::to_string(i)), "full"});
  for (int i = 0; i < 1'000; ++i) {  // 6 kB each
    wants.erase({"b", i % 2 == 0 ? "full" : "light"});
    wants.insert({"b", i % 2 == 0 ? "light" : "full"});
    ASSERT_TRUE(book.announce(here_, {"pc", wants}, 0));
    if (i % 40 == 0) ASSERT_TRUE(book.keep(0));
  }
  ASSERT_TRUE(book.keep(0));
  EXPECT_LT(std::filesystem::file_size(file()), 1'300'000u);
  const auto size = std::filesystem::file_size(file());
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(book.announce(here_, {"pc", wants}, 0));  // says the same again
  EXPECT_EQ(std::filesystem::file_size(file()), size);
  DemandBook again(file());
  EXPECT_TRUE(again.load(0));
  EXPECT_TRUE(again.wants(0).contains({"b", "full"}));
  EXPECT_LT(std::filesystem::file_size(file()), 10'000u);
}

TEST_F(Book, takes_no_wish_that_a_full_disk_cannot_keep_and_goes_on_when_there_is_room) {
  auto disk = picket::support::SmallDisk::mount(folder_.path() / "disk", 4u << 20);
  if (!disk) GTEST_SKIP() << "no small disk to be had here: " << disk.error().message;
  const auto file = folder_.path() / "disk/demand.log", filler = folder_.path() / "disk/filler";
  DemandBook book(file);
  (void)book.load(0);
  book.adopt({}, 0);
  ASSERT_TRUE(book.announce(here_, of("a", "x"), 0));
  picket::support::SmallDisk::fill(filler);
  std::string why;
  std::size_t taken = 1;
  for (int i = 0; i < 200; ++i) {   // what is left of a page
    const auto done = book.announce(here_, of(cat("pc-", std::to_string(i)), "y"), 0);
    if (done) ++taken;
    else why = done.error().message;
  }
  EXPECT_NE(why.find("No space left"), std::string::npos) << why;
  EXPECT_EQ(book.counts().devices, taken) << "what is refused is not taken";
  bool heard_of = false;
  for (int i = 1; i < 200 && !heard_of; ++i) heard_of = !book.keep(i * 600);
  EXPECT_TRUE(heard_of) << "the administrator hears of it";
  {
    DemandBook other(file);
    (void)other.load(0);
    EXPECT_EQ(other.counts().devices, taken);
  }
  std::filesystem::remove(filler);
  EXPECT_TRUE(book.keep(200 * 600));
  EXPECT_TRUE(book.announce(here_, of("late", "z"), 0));
  DemandBook again(file);
  EXPECT_TRUE(again.load(0));
  EXPECT_EQ(again.counts().devices, taken + 1);
}

}  // namespace
