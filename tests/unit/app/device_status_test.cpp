#include "app/device_status.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace picket::app {
namespace {

plugin_host::Status plugin(plugin_host::State state, plugin_host::Health health, std::string text) {
  plugin_host::Status status;
  status.id = "org.example.p";
  status.state = state;
  status.health = health;
  status.text = std::move(text);
  return status;
}

TEST(DeviceStatus, is_ok_when_nothing_is_wrong) {
  const auto status = device_status({plugin(plugin_host::State::running, plugin_host::Health::healthy, "")}, {}, {});
  EXPECT_EQ(status.level, "OK");
  EXPECT_TRUE(status.reasons.empty());
}

TEST(DeviceStatus, warns_of_a_failed_plugin_with_its_reason) {
  const auto status = device_status({plugin(plugin_host::State::failed, plugin_host::Health::unknown, "killed by signal 6")}, {}, {});
  EXPECT_EQ(status.level, "Warning");
  EXPECT_THAT(status.reasons, testing::ElementsAre("plugin org.example.p is failed: killed by signal 6"));
}

TEST(DeviceStatus, warns_of_an_installed_version_that_cannot_run) {
  auto old = plugin(plugin_host::State::running, plugin_host::Health::healthy, "");
  old.version = "1.0.0";
  old.passed_over = "version 2.0.0 is refused: needs version 2.0 of the contract, this agent has 1.0";
  const auto status = device_status({old}, {}, {});
  EXPECT_EQ(status.level, "Warning");
  EXPECT_THAT(status.reasons, testing::ElementsAre("plugin org.example.p runs as version 1.0.0: version 2.0.0 is refused: needs version 2.0 of the contract, this agent has 1.0"));
}

TEST(DeviceStatus, a_critical_update_problem_wins_over_warnings_and_keeps_all_reasons) {
  policy::Shown policy;
  policy.problems = {"expired yesterday", "local settings of x are ignored: broken"};
  const auto status = device_status({plugin(plugin_host::State::running, plugin_host::Health::degraded, "slow")},
                                    {{true, "yara-rules: no databases"}, {false, "one source rests"}}, policy);
  EXPECT_EQ(status.level, "Critical");
  EXPECT_THAT(status.reasons, testing::ElementsAre("yara-rules: no databases", "one source rests", "plugin org.example.p is degraded: slow", "policy: expired yesterday",
                                                   "policy: local settings of x are ignored: broken"));
}

TEST(DeviceStatus, names_fifty_of_a_thousand_update_problems_and_the_critical_one_among_them) {
  std::vector<update::Engine::Problem> problems(999, {false, "a component: not offered"});
  problems.push_back({true, "yara-rules: no databases"});
  const auto status = device_status({}, problems, {});
  EXPECT_EQ(status.level, "Critical");
  ASSERT_EQ(status.reasons.size(), 51u);
  EXPECT_EQ(status.reasons.front(), "yara-rules: no databases");
  EXPECT_EQ(status.reasons.back(), "and 950 more of the updates: see picketctl update status");
}

TEST(DeviceStatus, fits_into_one_message_whatever_the_tasks_say) {
  const auto status = device_status({}, {{true, "yara-rules: no databases"}}, {}, std::vector<std::string>(256, "task t: failed: " + std::string(2000, 'x')));
  EXPECT_EQ(status.level, "Critical");
  std::size_t bytes = 0;
  for (const auto& reason : status.reasons) bytes += reason.size();
  EXPECT_LT(bytes, 61'000u);
  EXPECT_EQ(status.reasons.front(), "yara-rules: no databases");
  EXPECT_TRUE(status.reasons[1].starts_with("task t: failed: xxx") && status.reasons[1].ends_with("xxx...")) << status.reasons[1];
  EXPECT_EQ(status.reasons.back(), cat("and ", std::to_string(258 - status.reasons.size()), " more"));
}

TEST(DeviceStatus, takes_what_a_running_plugin_says_of_the_device) {
  const auto running = plugin(plugin_host::State::running, plugin_host::Health::healthy, "");
  const auto critical = device_status({running}, {}, {}, {}, {{"org.example.p", "Critical", "the service is away"}});
  EXPECT_EQ(critical.level, "Critical");
  EXPECT_THAT(critical.reasons, testing::ElementsAre("org.example.p: the service is away"));
  EXPECT_EQ(device_status({running}, {}, {}, {}, {{"org.example.p", "Warning", "slow"}}).level, "Warning");
  EXPECT_EQ(device_status({running}, {}, {}, {}, {{"org.example.p", "Panic", "!"}}).level, "OK");
  EXPECT_EQ(device_status({running}, {}, {}, {}, {{"org.example.gone", "Critical", "!"}}).level, "OK");
}

TEST(DeviceStatus, warns_of_a_task_that_failed) {
  const auto status = device_status({}, {}, {}, {"task hand-on: failed: /srv/share is no folder"});
  EXPECT_EQ(status.level, "Warning");
  EXPECT_THAT(status.reasons, testing::ElementsAre("task hand-on: failed: /srv/share is no folder"));
}

}  // namespace
}  // namespace picket::app
