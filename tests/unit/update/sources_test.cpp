#include "update/sources.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/update_world.hpp"

namespace picket::update {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct SourceList : ::testing::Test {
  std::vector<std::string> names(bool force = false) {
    std::vector<std::string> out;
    explain.begin(1);
    for (const auto& entry : sources.to_try(force, explain)) out.push_back(entry.name);
    return out;
  }
  std::string said() {
    std::string out;
    const auto reply = explain.reply("");
    for (const auto& step : reply.steps()) out += step.source() + ": " + step.decision() + "\n";
    return out;
  }
  support::HandClock clock;
  Explain explain{clock};
  Sources sources{clock};
  void SetUp() override { sources.configure({{"a", "p", "x"}, {"b", "p", "y"}, {"c", "p", "z"}}, std::chrono::seconds(300)); }
};

TEST_F(SourceList, is_tried_from_the_top) { EXPECT_THAT(names(), ElementsAre("a", "b", "c")); }

TEST_F(SourceList, one_that_is_disabled_says_so) {
  sources.configure({{.name = "a", .plugin = "p", .location = "x", .enabled = false}}, std::chrono::seconds(300));
  EXPECT_EQ(sources.status()[0].state(), "disabled");
  EXPECT_EQ(sources.status()[0].text(), "disabled in the settings");
}

TEST_F(SourceList, one_that_failed_rests_for_a_while_and_says_why) {
  sources.failed("a", "connection refused");
  EXPECT_THAT(names(), ElementsAre("b", "c"));
  EXPECT_THAT(said(), HasSubstr("a: rests for 300 s more after: connection refused"));
  const auto status = sources.status();
  EXPECT_EQ(status[0].state(), "resting");
  EXPECT_EQ(status[0].text(), "connection refused");
  EXPECT_EQ(status[0].next_attempt(), clock.wall + 300);
  EXPECT_EQ(status[1].state(), "untried");
  EXPECT_THAT(names(true), ElementsAre("a", "b", "c")) << "forced";
  clock.wall += 301;
  EXPECT_THAT(names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(sources.status()[0].state(), "trial");
  EXPECT_THAT(said(), HasSubstr("a: has rested after: connection refused: this attempt decides"));
}

TEST_F(SourceList, one_that_talks_without_end_is_not_quoted_so) {
  std::string why = "x";
  for (int i = 0; i < 1000; ++i) why += "\xc3\xa9";
  sources.failed("a", why);
  EXPECT_EQ(sources.status()[0].text(), why.substr(0, 999)) << "nor with half a character";
}

TEST_F(SourceList, one_that_goes_on_failing_rests_longer_each_time_but_not_for_ever) {
  for (const int rest : {300, 600, 1200, 2400, 4800, 7200, 7200}) {
    sources.failed("a", "down");
    EXPECT_EQ(sources.status()[0].next_attempt(), clock.wall + rest);
    EXPECT_EQ(sources.status()[0].state(), "resting");
    clock.wall += rest + 1;
    EXPECT_EQ(sources.status()[0].state(), "trial");
    EXPECT_THAT(names(), ElementsAre("a", "b", "c"));
  }
  sources.failed("a", "down");
  EXPECT_THAT(names(), ElementsAre("b", "c"));
  EXPECT_THAT(said(), HasSubstr("a: rests for 7200 s more after 8 failures in a row, the last: down"));
  sources.worked("a");
  sources.failed("a", "down again");
  EXPECT_EQ(sources.status()[0].next_attempt(), clock.wall + 300) << "a success begins anew";
}

TEST_F(SourceList, one_that_wants_to_be_left_alone_is_for_so_long_as_the_settings_allow) {
  using std::chrono::seconds;
  sources.failed("a", "429", seconds(1000));
  EXPECT_EQ(sources.status()[0].next_attempt(), clock.wall + 1000);
  sources.failed("b", "503", seconds(5));
  EXPECT_EQ(sources.status()[1].next_attempt(), clock.wall + 300) << "at least the usual rest";
  sources.failed("c", "503", seconds(4'000'000'000));
  EXPECT_EQ(sources.status()[2].next_attempt(), clock.wall + 7200) << "not for the 127 years that it wishes";
  for (const auto longest : {seconds(0), seconds(86'400)}) {
    sources.configure({{"a", "p", "x"}, {"b", "p", "y"}, {"c", "p", "z"}}, seconds(300), seconds(7200), longest);
    sources.worked("c");
    sources.failed("c", "503", seconds(4'000'000'000));
    EXPECT_EQ(sources.status()[2].next_attempt(), clock.wall + std::max<std::int64_t>(longest.count(), 300));
  }
}

TEST_F(SourceList, one_that_costs_nothing_to_ask_does_not_rest) {
  sources.failed("a", "is the drive plugged in?", std::chrono::seconds(0));
  EXPECT_THAT(names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(sources.status()[0].state(), "failed");
  EXPECT_EQ(sources.status()[0].text(), "is the drive plugged in?");
}

TEST_F(SourceList, when_all_rest_they_are_tried_all_the_same) {
  for (const auto* name : {"a", "b", "c"}) sources.failed(name, "down");
  EXPECT_THAT(names(), ElementsAre("a", "b", "c"));
}

TEST_F(SourceList, a_success_ends_the_rest) {
  sources.failed("a", "down");
  sources.worked("a");
  EXPECT_THAT(names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(sources.status()[0].state(), "ok");
}

TEST_F(SourceList, a_clock_that_was_set_back_ends_the_rest) {
  sources.failed("a", "down");
  clock.wall -= 100'000;
  EXPECT_THAT(names(), ElementsAre("a", "b", "c"));
}

TEST_F(SourceList, new_settings_keep_what_is_known_of_unchanged_entries_only) {
  sources.failed("a", "down");
  sources.failed("b", "down");
  SourceEntry off{"c", "p", "z"};
  off.enabled = false;
  sources.configure({{"a", "p", "x"}, {"b", "p", "elsewhere"}, off}, std::chrono::seconds(300));
  EXPECT_THAT(names(), ElementsAre("b"));
  EXPECT_THAT(said(), HasSubstr("c: passed over: disabled"));
}

}  // namespace
}  // namespace picket::update
