#include <gtest/gtest.h>

#include "base/files.hpp"

#include "samples.hpp"
#include "support/ctl_picketd.hpp"

namespace picket::test {
namespace {

// What may follow the words; the last is being typed.
std::string after(std::vector<std::string> words) {
  words.insert(words.begin(), {"__complete", "--"});
  const auto ran = run_ctl(std::move(words));
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.err, "");
  return ran.out;
}

TEST(Completion, offers_commands) {
  EXPECT_EQ(after({"st"}), "status\n");
  EXPECT_EQ(after({"plugin", ""}), "info\nlist\nrestart\n");
  EXPECT_EQ(after({"plugin", "re"}), "restart\n");
  EXPECT_EQ(after({"help", "upd"}), "update\n");
  EXPECT_EQ(after({"help", "update", "ru"}), "run\n");
  EXPECT_EQ(after({"ksn", "st"}), "statement\nstatus\n");
  EXPECT_EQ(after({"ksn", "statement", ""}), "accept\ndecline\nshow\n");
  EXPECT_EQ(after({"help", "ksn", "statement", "a"}), "accept\n");
  EXPECT_EQ(after({"ksn", "check", ""}), "<files>\n");
  EXPECT_EQ(after({"ksn", "so"}), "software\n");
  EXPECT_EQ(after({"ksn", "software", ""}), "<files>\n");
  EXPECT_EQ(after({"completion", ""}), "bash\n");
  EXPECT_EQ(after({"status", ""}), "");
  EXPECT_EQ(after({"nonsense", ""}), "");
}

TEST(Completion, offers_options_of_the_command_and_of_all) {
  EXPECT_EQ(after({"update", "run", "--f"}), "--force\n");
  EXPECT_EQ(after({"--js"}), "--json\n");
  EXPECT_EQ(after({"status", "--f"}), "");
}

TEST(Completion, leaves_files_to_the_shell) {
  EXPECT_EQ(after({"scan", ""}), "<files>\n");
  EXPECT_EQ(after({"policy", "apply", "x"}), "<files>\n");
  EXPECT_EQ(after({"status", "--socket", ""}), "<files>\n");
  EXPECT_EQ(after({"--timeout", ""}), "");
}

TEST(Completion, asks_picketd_for_ids) {
  CtlPicketd picketd;
  auto plugins = sample_plugins();
  plugins.add_plugins()->set_id("$(reboot)");
  plugins.add_plugins()->set_id("two words");
  picketd.answer_with("picket.plugin.list", plugins);
  picketd.answer_with("picket.component.list", sample_updates());
  picketd.answer_with("picket.task.list", sample_tasks());
  picketd.start();
  const auto socket = picketd.socket().string();
  EXPECT_EQ(after({"--socket", socket, "plugin", "info", ""}), "org.acme.bad\norg.picket.scanner\n") << "only what a shell need not quote";
  EXPECT_EQ(after({"--socket", socket, "plugin", "info", "org.p"}), "org.picket.scanner\n");
  EXPECT_EQ(after({"--socket", socket, "update", "run", "yara-rules", "u"}), "url-list\n");
  EXPECT_EQ(after({"--socket", socket, "plugin", "info", "org.acme.bad", ""}), "");
  EXPECT_EQ(after({"--socket", socket, "task", "run", ""}), "nightly\nupdate\n");
  EXPECT_EQ(after({"--socket", socket, "task", "run", "update", ""}), "");
}

TEST(Completion, offers_settings_of_a_plugin) {
  CtlPicketd picketd;
  picketd.answer_with("picket.plugin.list", sample_plugins());
  picketd.answer<policy::v1::ExplainRequest>("picket.policy.explain", [](const auto& request) -> Result<std::string> {
    if (request.plugin() != "org.picket.scanner") return fail(Code::not_found, "no such plugin");
    auto reply = sample_explained();
    reply.add_settings()->set_setting("$(reboot)");
    return reply.SerializeAsString();
  });
  picketd.start();
  const auto socket = picketd.socket().string();
  EXPECT_EQ(after({"--socket", socket, "policy", "explain", "org.p"}), "org.picket.scanner\n");
  EXPECT_EQ(after({"--socket", socket, "policy", "explain", "org.picket.scanner", ""}), "max_mb\n");
  EXPECT_EQ(after({"--socket", socket, "policy", "explain", "org.none", ""}), "");
  EXPECT_EQ(after({"--socket", socket, "policy", "explain", "org.picket.scanner", "max_mb", ""}), "");
}

TEST(Completion, finds_picketd_where_its_settings_say) {
  CtlPicketd picketd;
  picketd.answer_with("picket.plugin.list", sample_plugins());
  picketd.start();
  const auto config = picketd.folder() / "picketd.conf";
  ASSERT_TRUE(write_file_atomic(config, cat("run-dir = ", picketd.folder().native(), "\n")));
  EXPECT_EQ(after({"--config", config, "plugin", "info", "org.p"}), "org.picket.scanner\n");
  EXPECT_EQ(after({"plugin", "--config", "=", config, "info", "org.p"}), "org.picket.scanner\n") << "as bash splits --config=FILE";
  EXPECT_EQ(after({"--config", "/nonexistent/picketd.conf", "plugin", "info", ""}), "");
}

TEST(Completion, is_silent_when_picketd_is_not_there) { EXPECT_EQ(after({"--socket", "/nonexistent/x.sock", "plugin", "info", ""}), ""); }

}  // namespace
}  // namespace picket::test
