// Approved, declined, or neither: what is taken, what is left, and where an administrator reads why.
#include "unit/update/world_test.hpp"

#include <gmock/gmock.h>

namespace picket::update {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class UpdateApproval : public UpdateTest {
 protected:
  static Offer of_class(std::string cls, std::int64_t number) {
    auto out = release(number);
    out.component = "app";
    out.cls = std::move(cls);
    return out;
  }
  // Demanded in the settings, which say nothing of its class.
  void settings(std::string_view more = "") {
    world_->demands.clear();
    ASSERT_TRUE(world_->settings({"source.a"}, cat(R"("components":["app"])", more.empty() ? "" : ",", more)));
  }
  [[nodiscard]] std::string content() const { return world_->file_of("app", "a.yar"); }
  [[nodiscard]] std::vector<std::string> problems() const {
    std::vector<std::string> out;
    for (const auto& problem : world_->engine->problems()) out.push_back((problem.critical ? "critical: " : "warning: ") + problem.text);
    return out;
  }
};

TEST_F(UpdateApproval, an_application_that_waits_is_no_missing_database_and_says_what_it_waits_for) {
  publish(of_class("application", 1));
  open();
  settings();
  EXPECT_THAT(problems(), ElementsAre("critical: app: not brought yet")) << "nobody knows yet what it is";
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "current");
  EXPECT_EQ(result.components(0).text(), "release 1: waits for approval (class application)");
  auto status = world_->status_of("app");
  EXPECT_EQ(status.class_(), "application");
  EXPECT_EQ(status.text(), "release 1: waits for approval (class application)");
  EXPECT_EQ(status.approval(), "undefined");
  EXPECT_EQ(status.offered(), 1u);
  EXPECT_THAT(problems(), ElementsAre("warning: app: release 1: waits for approval (class application)"));
  reopen();
  settings();
  EXPECT_THAT(problems(), ElementsAre("warning: app: not brought yet")) << "its class is remembered";

  settings(R"("approved":[{"component":"app","release":1}])");
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(content(), "rule of 1 full");
  EXPECT_EQ(world_->status_of("app").approval(), "approved");
  publish(of_class("application", 2));
  EXPECT_EQ(world_->run().result(), "current");
  status = world_->status_of("app");
  EXPECT_EQ(status.release(), 1u);
  EXPECT_EQ(status.offered(), 2u);
  EXPECT_EQ(status.approval(), "undefined");
  EXPECT_EQ(status.text(), "release 2: waits for approval (class application)");
  settings(R"("approved":[{"component":"app"}])");
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(content(), "rule of 2 full");
}

TEST_F(UpdateApproval, the_agents_own_components_wait_only_where_the_policy_says_so) {
  publish(of_class("agent", 1));
  open();
  settings(R"("approval_needed":["agent"])");
  EXPECT_EQ(world_->run().result(), "current");
  EXPECT_EQ(world_->status_of("app").class_(), "agent");
  EXPECT_EQ(world_->status_of("app").text(), "release 1: waits for approval (class agent)");
  settings();
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(content(), "rule of 1 full");
  EXPECT_EQ(world_->status_of("app").approval(), "undefined") << "and is taken all the same";
}

TEST_F(UpdateApproval, a_pin_is_no_approval) {
  publish(of_class("application", 1));
  open();
  settings(R"("pinned":[{"component":"app","release":1}])");
  EXPECT_EQ(world_->run().result(), "current");
  EXPECT_EQ(content(), "");
  EXPECT_THAT(world_->status_of("app").text(), HasSubstr("waits for approval"));
  settings(R"("pinned":[{"component":"app","release":1}],"approved":[{"component":"app","release":1}])");
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(content(), "rule of 1 full");
}

TEST_F(UpdateApproval, a_declined_application_is_removed_when_nothing_earlier_is_at_hand) {
  for (const std::string cls : {"application", "agent"}) {
    const auto number = cls == "agent" ? 2 : 1;
    publish(of_class(cls, number));
    if (number == 1) open();
    settings(R"("approved":[{"component":"app"}])");
    ASSERT_EQ(world_->run().result(), "ok");
    EXPECT_GT(world_->status_of("app").bytes(), 0u);
    settings(R"("declined":[{"component":"app"}])");
    const auto result = world_->run();
    EXPECT_EQ(result.result(), "ok");
    EXPECT_EQ(result.components(0).result(), "removed");
    EXPECT_EQ(result.components(0).release_after(), 0u);
    EXPECT_EQ(content(), "");
    EXPECT_EQ(sets_on_disk("app"), 0u) << "its files are gone too";
    auto status = world_->status_of("app");
    EXPECT_EQ(status.release(), 0u);
    EXPECT_EQ(status.bytes(), 0u) << "nothing is in force, so it takes no room";
    EXPECT_EQ(status.approval(), "declined");
    EXPECT_THAT(status.text(), HasSubstr("is declined in the settings, and nothing earlier is at hand: removed, nothing is in force"));
    EXPECT_THAT(problems(), ElementsAre()) << "as the administrator wants it";
    EXPECT_EQ(world_->run().result(), "current");
    EXPECT_THAT(world_->status_of("app").text(), HasSubstr("declined in the settings")) << "and stays away";
  }
}

TEST_F(UpdateApproval, declined_databases_and_this_very_program_stay_and_say_so) {
  publish(of_class("databases", 1));
  open();
  settings();
  ASSERT_EQ(world_->run().result(), "ok");
  settings(R"("declined":[{"component":"app"}])");
  EXPECT_EQ(world_->run().components(0).result(), "current");
  EXPECT_EQ(content(), "rule of 1 full");
  EXPECT_EQ(world_->status_of("app").text(), "release 1 is declined in the settings, and nothing earlier is at hand: it stays, for without it there would be no databases");
  EXPECT_EQ(world_->status_of("app").approval(), "declined");

  world_->own_component = "app";
  publish(of_class("agent", 2));
  reopen();
  settings();
  ASSERT_EQ(world_->run().result(), "ok");
  settings(R"("declined":[{"component":"app"}])");
  EXPECT_EQ(world_->run().components(0).result(), "current");
  EXPECT_EQ(content(), "rule of 2 full");
  EXPECT_THAT(world_->status_of("app").text(), HasSubstr("it stays, for it is this program"));
}

}  // namespace
}  // namespace picket::update
