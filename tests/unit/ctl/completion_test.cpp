#include <gtest/gtest.h>

#include "samples.hpp"

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

TEST(Completion, is_silent_when_picketd_is_not_there) { EXPECT_EQ(after({"--socket", "/nonexistent/x.sock", "plugin", "info", ""}), ""); }

}  // namespace
}  // namespace picket::test
