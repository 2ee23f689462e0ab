#include "update/plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picket::update {
namespace {

using ::testing::HasSubstr;
using trust::Release;

Release release(std::int64_t number, std::string variant = "full", std::string minimum = "0.0.0", std::string cls = "databases") {
  Release out;
  out.component = "rules";
  out.release = number;
  out.variant = std::move(variant);
  out.minimum_agent = std::move(minimum);
  out.cls = std::move(cls);
  out.content_sha256 = std::to_string(number) + out.variant;
  return out;
}

struct Case {
  std::vector<Release> releases;
  std::vector<Refusal> refused;
  Settings settings;
  std::optional<PlanQuestion::Active> active;
  std::string variant = "full";
  Plan plan() const { return make_plan({"rules", variant, releases, active, refused, settings, "1.2.0"}); }
  void in_force(std::int64_t number, std::string which = "full") { active = {static_cast<std::uint64_t>(number), which, std::to_string(number) + which}; }
};

std::int64_t chosen(const Plan& plan) { return plan.what == Plan::What::install ? plan.release->release : plan.what == Plan::What::keep ? 0 : -1; }

TEST(Plan, takes_the_newest_when_nothing_is_in_force) {
  Case c{{release(1), release(3), release(2)}, {}, {}, {}, "full"};
  EXPECT_EQ(chosen(c.plan()), 3);
}

TEST(Plan, keeps_what_is_newest_already) {
  Case c{{release(1), release(3)}, {}, {}, {}, "full"};
  c.in_force(3);
  EXPECT_EQ(chosen(c.plan()), 0);
}

TEST(Plan, never_goes_to_a_lower_release) {
  Case c{{release(1), release(2)}, {}, {}, {}, "full"};
  c.in_force(5);
  EXPECT_EQ(chosen(c.plan()), 0);
  c.refused = {{5, false, "bad"}};
  EXPECT_EQ(chosen(c.plan()), 0);
}

TEST(Plan, passes_over_refused_declined_and_too_demanding_releases) {
  Case c{{release(1), release(2), release(3), release(4, "full", "1.10.0")}, {{3, false, "scanner: syntax"}}, {}, {}, "full"};
  c.settings.declined = {{"rules", 2}, {"other", 1}};
  const auto plan = c.plan();
  EXPECT_EQ(chosen(plan), 1);
  EXPECT_THAT(plan.notes, ::testing::ElementsAre(HasSubstr("needs agent 1.10.0, this is 1.2.0"), HasSubstr("scanner: syntax"), HasSubstr("declined")));
}

TEST(Plan, says_why_nothing_can_be_taken) {
  Case c{{release(4, "full", "2.0.0")}, {}, {}, {}, "full"};
  EXPECT_EQ(chosen(c.plan()), -1);
  EXPECT_THAT(c.plan().why, HasSubstr("needs agent 2.0.0"));
  c.releases.clear();
  EXPECT_THAT(c.plan().why, HasSubstr("no release is offered"));
}

TEST(Plan, switches_the_variant_at_the_same_release) {
  Case c{{release(3), release(3, "light")}, {}, {}, {}, "light"};
  c.in_force(3);
  const auto plan = c.plan();
  EXPECT_EQ(chosen(plan), 3);
  EXPECT_EQ(plan.release->variant, "light");
  EXPECT_THAT(plan.why, HasSubstr("instead of full"));
}

TEST(Plan, takes_the_existing_variant_and_says_so_when_the_wanted_one_does_not_exist) {
  Case c{{release(3)}, {}, {}, {}, "light"};
  const auto plan = c.plan();
  EXPECT_EQ(chosen(plan), 3);
  EXPECT_THAT(plan.notes, ::testing::Contains(HasSubstr("no usable variant light: full is taken")));
  c.in_force(3);
  EXPECT_EQ(chosen(c.plan()), 0);
}

TEST(Plan, a_pin_also_goes_back_and_ends_an_administrators_own_refusal_but_not_a_plugins) {
  Case c{{release(1), release(2), release(3)}, {}, {}, {}, "full"};
  c.in_force(3);
  c.settings.pinned = {{"rules", 2}};
  EXPECT_EQ(chosen(c.plan()), 2);
  c.refused = {{2, true, "rolled back"}};
  EXPECT_EQ(chosen(c.plan()), 2);
  c.refused = {{2, false, "scanner: bad"}};
  EXPECT_EQ(chosen(c.plan()), 0);
  EXPECT_THAT(c.plan().why, HasSubstr("scanner: bad"));
  c.settings.pinned = {{"rules", 9}};
  EXPECT_THAT(c.plan().why, HasSubstr("pinned release 9 is not offered"));
}

TEST(Plan, a_pin_keeps_nothing_in_force_that_is_declined) {
  Case c{{release(1), release(2), release(3)}, {}, {}, {}, "full"};
  c.in_force(3);
  c.settings.declined = {{"rules", 3}};
  c.settings.pinned = {{"rules", 3}};
  EXPECT_TRUE(c.plan().leave);
  c.settings.pinned = {{"rules", 9}};
  EXPECT_TRUE(c.plan().leave) << "which is not offered";
  c.settings.pinned = {{"rules", 1}};
  EXPECT_EQ(chosen(c.plan()), 1);
  c.settings.declined = {{"rules", 2}};
  c.settings.pinned = {{"rules", 2}};
  EXPECT_FALSE(c.plan().leave) << "it is not the one in force";
}

TEST(Plan, application_modules_wait_for_approval_and_agent_components_only_if_asked) {
  Case c{{release(1, "full", "0.0.0", "application")}, {}, {}, {}, "full"};
  EXPECT_EQ(chosen(c.plan()), -1);
  EXPECT_TRUE(c.plan().by_choice);
  c.settings.approved = {{"rules", 1}};
  EXPECT_EQ(chosen(c.plan()), 1);
  c.releases = {release(2, "full", "0.0.0", "agent")};
  EXPECT_EQ(chosen(c.plan()), 2);
  c.settings.approve_agent = true;
  EXPECT_EQ(chosen(c.plan()), -1);
}

TEST(Plan, a_pin_approves_nothing) {
  Case c{{release(1, "full", "0.0.0", "application"), release(2, "full", "0.0.0", "application")}, {}, {}, {}, "full"};
  c.settings.pinned = {{"rules", 1}};
  EXPECT_EQ(chosen(c.plan()), -1);
  EXPECT_TRUE(c.plan().by_choice);
  c.settings.approved = {{"rules", 2}};
  EXPECT_EQ(chosen(c.plan()), -1) << "another one is approved";
  c.settings.approved = {{"rules", 1}};
  EXPECT_EQ(chosen(c.plan()), 1);
  c.settings.declined = {{"rules", 1}};
  EXPECT_EQ(chosen(c.plan()), -1);
}

TEST(Plan, says_what_hinders_the_newest_also_when_another_is_taken_or_kept) {
  Case c{{release(1, "full", "0.0.0", "application"), release(2, "full", "0.0.0", "application")}, {}, {}, {}, "full"};
  c.settings.approved = {{"rules", 1}};
  EXPECT_EQ(c.plan().obstacle, "release 2: waits for approval (class application)");
  EXPECT_EQ(chosen(c.plan()), 1);
  c.in_force(1);
  EXPECT_EQ(chosen(c.plan()), 0);
  EXPECT_EQ(c.plan().obstacle, "release 2: waits for approval (class application)");
  c.settings.approved = {{"rules", 0}};
  EXPECT_EQ(c.plan().obstacle, "");
}

TEST(Plan, content_published_again_under_the_same_number_is_a_change) {
  Case c{{release(3)}, {}, {}, {}, "full"};
  c.in_force(3);
  c.releases[0].content_sha256 = "other";
  EXPECT_EQ(chosen(c.plan()), 3);
}

TEST(CompareVersions, goes_part_by_part_as_numbers) {
  EXPECT_EQ(compare_versions("1.10.0", "1.9"), 1);
  EXPECT_EQ(compare_versions("1.2", "1.2.0"), 0);
  EXPECT_EQ(compare_versions("0.9.9", "1"), -1);
}

}  // namespace
}  // namespace picket::update
