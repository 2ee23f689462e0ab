#include "plugin_host/self_report.hpp"

#include <gtest/gtest.h>

namespace picket::plugin_host {
namespace {

class SelfReportTest : public ::testing::Test {
 protected:
  using Said = SelfReport::Said;

  void expect(const Said& shown) const {
    EXPECT_EQ(said_.shown().health, shown.health);
    EXPECT_EQ(said_.shown().text, shown.text);
  }
  // What it says, and what is shown from then on.
  void reports(const Said& said, const Said& shown) {
    said_.reported(said.health, said.text);
    expect(shown);
  }
  void takes_settings(const Said& said, const Said& shown) {
    said_.observed(said.health, said.text);
    expect(shown);
  }
  const Said well_{Health::healthy, ""};
  SelfReport said_;
};

TEST_F(SelfReportTest, a_reload_does_not_hide_what_is_wrong) {
  const Said full{Health::degraded, "the disk is full"};
  reports(full, full);
  takes_settings(well_, full);
  EXPECT_EQ(said_.of_settings().health, Health::healthy) << "the settings themselves are good";
  reports(well_, well_);
}

TEST_F(SelfReportTest, good_settings_end_what_bad_ones_began) {
  const Said bad{Health::failed, "no such folder"};
  takes_settings(bad, bad);
  reports(well_, bad);
  takes_settings(well_, well_);
}

TEST_F(SelfReportTest, of_two_complaints_the_worse_shows_and_of_equals_the_newer) {
  const Said away{Health::failed, "the store is away"}, slow{Health::degraded, "the store is slow"}, third{Health::degraded, "a third of it"};
  reports(away, away);
  takes_settings({Health::degraded, "half of it"}, away);
  reports(slow, slow);
  takes_settings(third, third);
}

TEST_F(SelfReportTest, who_says_nothing_of_its_settings_is_taken_at_its_report) {
  EXPECT_EQ(said_.of_settings().health, Health::unknown);
  said_.reported(Health::failed, "it broke");
  EXPECT_EQ(said_.of_settings().health, Health::failed);
}

}  // namespace
}  // namespace picket::plugin_host
