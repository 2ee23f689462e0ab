#include "app/plugin_log.hpp"

#include <gtest/gtest.h>

namespace picket::app {
namespace {

using plugin_host::Health;
using plugin_host::State;

TEST(PluginLog, says_each_thing_once) {
  PluginLog log;
  plugin_host::Status status;
  status.id = "org.x";
  EXPECT_EQ(log.change_of(status).line, "org.x: verifying") << "no version yet";
  status.version = "1.0";
  status.state = State::starting;
  EXPECT_EQ(log.change_of(status).line, "org.x 1.0: starting");
  status.restarts = 1;
  status.health = Health::healthy;
  EXPECT_EQ(log.change_of(status).line, "") << "how it is, it says once it runs";
  status.state = State::running;
  auto change = log.change_of(status);
  EXPECT_EQ(change.line, "org.x 1.0: running, healthy");
  EXPECT_TRUE(change.came_up);
  status.observed_revision = 2;
  change = log.change_of(status);
  EXPECT_EQ(change.line, "");
  EXPECT_FALSE(change.came_up);
  status.health = Health::degraded;
  status.text = "half of it works";
  EXPECT_EQ(log.change_of(status).line, "org.x 1.0: running, degraded: half of it works");
  EXPECT_EQ(log.change_of(status).line, "");
}

TEST(PluginLog, the_level_is_that_of_the_state_and_each_plugin_has_its_own) {
  PluginLog log;
  plugin_host::Status status;
  status.id = "org.x";
  status.state = State::backing_off;
  EXPECT_EQ(log.change_of(status).level, runtime::Level::warning);
  status.state = State::failed;
  EXPECT_EQ(log.change_of(status).level, runtime::Level::error);
  status.id = "org.y";
  EXPECT_EQ(log.change_of(status).line, "org.y: failed");
}

}  // namespace
}  // namespace picket::app
