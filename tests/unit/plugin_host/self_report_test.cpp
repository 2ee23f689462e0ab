#include "plugin_host/self_report.hpp"

#include <gtest/gtest.h>

namespace picket::plugin_host {
namespace {

class SelfReportTest : public ::testing::Test {
 protected:
  void expect(Health health, const std::string& text) const {
    EXPECT_EQ(said_.shown().health, health);
    EXPECT_EQ(said_.shown().text, text);
  }
  SelfReport said_;
};

TEST_F(SelfReportTest, a_reload_does_not_hide_what_is_wrong) {
  said_.reported(Health::degraded, "the disk is full");
  said_.observed(Health::healthy, "");
  expect(Health::degraded, "the disk is full");
  EXPECT_EQ(said_.of_settings().health, Health::healthy) << "the settings themselves are good";
  said_.reported(Health::healthy, "");
  expect(Health::healthy, "");
}

TEST_F(SelfReportTest, good_settings_end_what_bad_ones_began) {
  said_.observed(Health::failed, "no such folder");
  expect(Health::failed, "no such folder");
  said_.reported(Health::healthy, "");
  expect(Health::failed, "no such folder");
  said_.observed(Health::healthy, "");
  expect(Health::healthy, "");
}

TEST_F(SelfReportTest, of_two_complaints_the_worse_shows_and_of_equals_the_newer) {
  said_.reported(Health::failed, "the store is away");
  said_.observed(Health::degraded, "half of it");
  expect(Health::failed, "the store is away");
  said_.reported(Health::degraded, "the store is slow");
  expect(Health::degraded, "the store is slow");
  said_.observed(Health::degraded, "a third of it");
  expect(Health::degraded, "a third of it");
}

TEST_F(SelfReportTest, who_says_nothing_of_its_settings_is_taken_at_its_report) {
  EXPECT_EQ(said_.of_settings().health, Health::unknown);
  said_.reported(Health::failed, "it broke");
  EXPECT_EQ(said_.of_settings().health, Health::failed);
}

}  // namespace
}  // namespace picket::plugin_host
