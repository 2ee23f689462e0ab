#include "ctl/doctor_checks.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/files.hpp"
#include "sample_picketd.hpp"

namespace picket::test {
namespace {

using ctl::Checks;

std::string line(const Checks& checks, std::string_view part) {
  for (const auto& check : checks)
    if (check.text.find(part) != std::string::npos || check.name == part) return check.result + " " + check.name + ": " + check.text;
  return "none with " + std::string(part);
}

TEST(Doctor, sees_a_wrong_clock_and_the_device_status) {
  Checks checks;
  check_host(checks, sample_host(), sample_now);
  EXPECT_TRUE(line(checks, "clock").starts_with("ok"));
  EXPECT_EQ(line(checks, "device status"), "warn device status: Warning: org.acme.bad failed");
  checks.clear();
  check_host(checks, sample_host(), 1000);
  EXPECT_TRUE(line(checks, "clock").starts_with("fail")) << line(checks, "clock");
  checks.clear();
  check_host(checks, sample_host(), sample_now - 86400);
  EXPECT_TRUE(line(checks, "clock").starts_with("warn"));
}

TEST(Doctor, sees_the_data_folder) {
  CtlPicketd place;  // only for its folder
  Checks checks;
  ctl::check_data_dir(checks, place.folder());
  EXPECT_TRUE(line(checks, "data folder").starts_with("ok"));
  EXPECT_EQ(checks.size(), 2U);
  ::chmod(place.folder().c_str(), 0777);
  checks.clear();
  ctl::check_data_dir(checks, place.folder());
  EXPECT_NE(line(checks, "data folder").find("every user may write there"), std::string::npos);
  checks.clear();
  ctl::check_data_dir(checks, place.folder() / "absent");
  EXPECT_TRUE(line(checks, "data folder").starts_with("fail"));
}

TEST(Doctor, counts_keys) {
  CtlPicketd place;
  host::v1::HostConfigReply config;
  auto& value = *config.add_values();
  value.set_name("plugin-keys");
  value.set_value(place.folder());
  Checks checks;
  check_keys(checks, config, true);
  EXPECT_NE(line(checks, "plugin keys").find("every plugin is refused"), std::string::npos);
  ASSERT_TRUE(write_file_atomic(place.folder() / "vendor.pub.json", "{}"));
  checks.clear();
  check_keys(checks, config, true);
  EXPECT_TRUE(line(checks, "plugin keys").starts_with("ok plugin keys: 1 key in "));
}

TEST(Doctor, sees_an_update_root_that_is_missing_or_none) {
  CtlPicketd place;
  const auto file = place.folder() / "root.json";
  host::v1::HostConfigReply config;
  auto& value = *config.add_values();
  value.set_name("update-root");
  value.set_value(file);
  const auto said = [&] {
    Checks checks;
    check_keys(checks, config, true);
    return line(checks, "update root");
  };
  EXPECT_NE(said().find("no such file"), std::string::npos) << said();
  for (const auto* text : {"", "{}", R"({"signed": 1})", R"({"signed": {"_type": "targets"}})", "\xff"}) {
    ASSERT_TRUE(write_file_atomic(file, text));
    EXPECT_EQ(said(), "fail update root: " + file.native() + ": this is no TUF root metadata; no update can be trusted");
  }
  ASSERT_TRUE(write_file_atomic(file, R"({"signed": {"_type": "root"}, "signatures": []})"));
  EXPECT_EQ(said(), "ok update root: " + file.native());
}

// A private KSN, say.
TEST(Doctor, misses_no_updates_where_nothing_comes_in_them) {
  update::v1::StatusReply updates;
  host::v1::HostConfigReply config;
  auto& value = *config.add_values();
  value.set_name("update-root");
  value.set_value("/nowhere/root.json");
  Checks checks;
  check_keys(checks, config, ctl::has_updates(updates));
  check_updates(checks, updates, nullptr, sample_now);
  EXPECT_TRUE(line(checks, "update root").starts_with("warn")) << line(checks, "update root");
  EXPECT_EQ(line(checks, "sources"), "warn sources: no update source is configured, and no plugin here demands databases");
  updates.add_components()->set_component("yara-rules");
  checks.clear();
  check_keys(checks, config, ctl::has_updates(updates));
  check_updates(checks, updates, nullptr, sample_now);
  EXPECT_TRUE(line(checks, "update root").starts_with("fail"));
  EXPECT_TRUE(line(checks, "sources").starts_with("fail"));
}

TEST(Doctor, lists_refused_failed_and_limping_plugins) {
  auto plugins = sample_plugins();
  auto& refused = *plugins.add_plugins();
  refused.set_id("org.acme.unsigned");
  refused.set_state("refused");
  refused.set_text("not signed by a trusted key");
  auto& behind = *plugins.add_plugins();
  behind.set_id("org.acme.behind");
  behind.set_state("running");
  behind.set_settings_revision(2);
  behind.set_observed_revision(1);
  Checks checks;
  check_plugins(checks, plugins);
  EXPECT_EQ(line(checks, "org.acme.unsigned"), "fail plugin: org.acme.unsigned is refused: not signed by a trusted key");
  EXPECT_TRUE(line(checks, "org.acme.bad").starts_with("fail"));
  EXPECT_TRUE(line(checks, "org.acme.behind").starts_with("warn"));
  EXPECT_EQ(line(checks, "plugins"), "ok plugins: 1 of 4 without problems");
}

TEST(Doctor, judges_components_and_sources) {
  Checks checks;
  auto updates = sample_updates();
  check_updates(checks, updates, nullptr, sample_now);
  EXPECT_TRUE(line(checks, "yara-rules release 12").starts_with("ok"));
  EXPECT_TRUE(line(checks, "url-list: nothing is installed yet").starts_with("fail"));
  EXPECT_EQ(line(checks, "usb"), "warn source: usb (/media/usb) is resting: no such folder");
  EXPECT_TRUE(line(checks, "last update").starts_with("warn"));
  updates.mutable_sources(0)->set_state("failed");
  updates.mutable_components(0)->set_published(sample_now + 4000);
  checks.clear();
  check_updates(checks, updates, nullptr, sample_now);
  EXPECT_EQ(line(checks, "no source can be reached"), "fail sources: no source can be reached");
  EXPECT_TRUE(line(checks, "is the clock right?").starts_with("warn"));
}

TEST(Doctor, misses_neither_what_is_optional_and_not_offered_nor_what_was_declined) {
  update::v1::StatusReply updates;
  auto& component = *updates.add_components();
  component.set_component("digests");
  component.set_freshness("none");
  component.set_optional(true);
  component.set_text("not offered");
  const auto said = [&] {
    Checks checks;
    check_updates(checks, updates, nullptr, sample_now);
    return line(checks, "digests");
  };
  EXPECT_EQ(said(), "ok component: digests: nothing is installed yet: not offered");
  component.set_offered(3);
  EXPECT_TRUE(said().starts_with("warn")) << said();
  component.set_optional(false);
  EXPECT_TRUE(said().starts_with("fail")) << said();
  component.set_class_("application");
  EXPECT_TRUE(said().starts_with("warn")) << "as the agent itself judges it: " << said();
  component.set_approval("declined");
  EXPECT_TRUE(said().starts_with("ok")) << said();
  component.set_class_("databases");
  EXPECT_TRUE(said().starts_with("fail")) << said();
}

TEST(Doctor, warns_of_a_source_whose_plugin_does_not_run) {
  auto updates = sample_updates();
  auto plugins = sample_plugins();
  auto& plugin = *plugins.add_plugins();
  plugin.set_id("org.picket.source-http");
  plugin.set_state("running");
  const auto said = [&](std::string_view source) {
    Checks checks;
    check_updates(checks, updates, &plugins, sample_now);
    return line(checks, source);
  };
  EXPECT_TRUE(said("mirror (").starts_with("ok")) << said("mirror (");
  updates.mutable_sources(0)->set_plugin("org.picket.source-nosuch");
  updates.mutable_sources(0)->set_state("untried");
  EXPECT_EQ(said("mirror ("), "warn source: mirror (https://updates.example.org/): no running plugin answers for org.picket.source-nosuch");
  updates.mutable_sources(0)->set_state("disabled");
  EXPECT_TRUE(said("mirror (").starts_with("ok")) << "it is not meant to be asked";
  updates.mutable_sources(1)->set_state("trial");
  EXPECT_EQ(said("usb ("), "warn source: usb (/media/usb) is on trial: no such folder");
}

TEST(Doctor, tells_each_problem_of_the_policy) {
  auto policy = sample_policy();
  Checks checks;
  check_policy(checks, policy, sample_now);
  EXPECT_EQ(line(checks, "policy"), "ok policy: revision 7, expires in 30 d");
  policy.set_text("the policy expired\nlocal settings of x are ignored: broken");
  checks.clear();
  check_policy(checks, policy, sample_now);
  EXPECT_EQ(checks.size(), 2U);
  EXPECT_EQ(line(checks, "local settings"), "warn policy: local settings of x are ignored: broken");
}

TEST(Doctor, fails_when_something_failed_and_when_nobody_answers) {
  CtlPicketd picketd;
  const auto alone = run_ctl({"doctor", "--socket", picketd.socket()}, {}, sample_now);
  EXPECT_EQ(alone.code, 3);
  EXPECT_NE(alone.out.find("fail  picketd  cannot reach picketd"), std::string::npos) << alone.out;
  answer_everything(picketd);
  picketd.start();
  const auto ran = run_ctl({"doctor", "--socket", picketd.socket()}, {}, sample_now);
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.out.find("ok    picketd"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find(" failures\n"), std::string::npos);
}

}  // namespace
}  // namespace picket::test
