// The command line: what is understood, and one clear line for what is not.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "base/files.hpp"
#include "ctl/command.hpp"
#include "support/ctl_picketd.hpp"

namespace picket::ctl {
namespace {

using test::run_ctl;

void usage_error(std::vector<std::string> arguments, const std::string& line) {
  const auto ran = run_ctl(std::move(arguments));
  EXPECT_EQ(ran.code, 2) << line;
  EXPECT_EQ(ran.err, "picketctl: " + line + "\n");
  EXPECT_EQ(ran.out, "");
}

TEST(Arguments, mistakes_get_one_clear_line) {
  usage_error({}, "no command was given; see picketctl help");
  usage_error({"stats"}, "unknown command 'stats'; did you mean 'status'?");
  usage_error({"plugin", "lst"}, "unknown command 'plugin lst'; did you mean 'plugin list'?");
  usage_error({"plugin", "xyz"}, "unknown command 'plugin xyz'; see picketctl help");
  usage_error({"ksn"}, "'ksn' needs one of: status, check, software, last-sent, what-is-sent, connection, statement, enable, disable, proxy, service");
  usage_error({"ksn", "statement"}, "'ksn statement' needs one of: show, accept, decline");
  usage_error({"ksn", "statement", "acept"}, "unknown command 'ksn statement acept'; did you mean 'ksn statement accept'?");
  usage_error({"ksn", "stauts"}, "unknown command 'ksn stauts'; did you mean 'ksn status'?");
  usage_error({"frobnicate"}, "unknown command 'frobnicate'; see picketctl help");
  usage_error({"update"}, "'update' needs one of: run, status, history, rollback, explain, what-is-sent, export");
  usage_error({"scan"}, "'scan' needs PATH...; see picketctl scan --help");
  usage_error({"policy", "apply"}, "'policy apply' needs FILE; see picketctl policy apply --help");
  usage_error({"status", "now"}, "'status' takes no arguments, not 'now'; see picketctl status --help");
  usage_error({"plugin", "info", "a", "b"}, "'plugin info' takes ID, not 'b'; see picketctl plugin info --help");
  usage_error({"status", "--fast"}, "unrecognised option '--fast'; see picketctl status --help");
  usage_error({"update", "run", "--forc"}, "unrecognised option '--forc'; see picketctl update run --help");
  usage_error({"status", "--socket"}, "the required argument for option '--socket' is missing; see picketctl status --help");
  usage_error({"status", "--timeout", "soon"}, "--timeout: 'soon' is not a number from 0 to 86400; see picketctl status --help");
  usage_error({"status", "--timeout", "0"}, "--timeout: 0 would never wait for an answer");
  usage_error({"status", "--config", "/nonexistent.conf"}, "open /nonexistent.conf: No such file or directory");
}

TEST(Arguments, options_may_stand_before_and_after_the_command) {
  const std::vector<std::string> line{"--timeout", "3", "update", "--json", "run", "yara-rules", "--force"};
  const auto asked = parse_arguments(line);
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_STREQ(asked->command->name, "update run");
  EXPECT_EQ(asked->arguments, std::vector<std::string>{"yara-rules"});
  EXPECT_EQ(asked->value("timeout"), "3");
  EXPECT_TRUE(asked->has("json"));
  EXPECT_TRUE(asked->has("force"));
}

TEST(Arguments, two_dashes_end_the_options) {
  const std::vector<std::string> line{"scan", "--", "--strange-name"};
  const auto asked = parse_arguments(line);
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(asked->arguments, std::vector<std::string>{"--strange-name"});
}

TEST(Arguments, every_command_has_help_with_an_example) {
  for (const auto& command : commands()) {
    std::vector<std::string> words;
    std::string_view name = command.name;
    for (;;) {
      const auto blank = name.find(' ');
      words.emplace_back(name.substr(0, blank));
      if (blank == name.npos) break;
      name.remove_prefix(blank + 1);
    }
    words.emplace_back("--help");
    const auto ran = run_ctl(words);
    EXPECT_EQ(ran.code, 0) << command.name;
    EXPECT_NE(ran.out.find(cat("Usage: picketctl ", command.name)), std::string::npos) << ran.out;
    EXPECT_NE(ran.out.find(cat("\nExample: picketctl ", command.name)), std::string::npos) << ran.out;
    words.back() = "help";
    std::rotate(words.begin(), words.end() - 1, words.end());
    EXPECT_EQ(run_ctl(words).out, ran.out) << "picketctl help " << command.name;
  }
}

TEST(Arguments, the_examples_parse) {
  for (const auto& command : commands()) {
    std::vector<std::string> words;
    std::string_view rest = command.example;
    rest = rest.substr(0, rest.find(" >"));
    while (!rest.empty()) {
      const auto word = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(word.size() + 1, rest.size()));
      words.emplace_back(word);
    }
    ASSERT_EQ(words.front(), "picketctl");
    const auto asked = parse_arguments(std::span(words).subspan(1));
    ASSERT_TRUE(asked) << command.example << ": " << asked.error().message;
    EXPECT_STREQ(asked->command->name, command.name);
  }
}

TEST(Arguments, help_is_for_the_program_and_for_groups) {
  const auto whole = run_ctl({"help"});
  EXPECT_EQ(whole.code, 0);
  for (const auto& command : commands()) EXPECT_NE(whole.out.find(command.summary), std::string::npos);
  EXPECT_EQ(run_ctl({"--help"}).out, whole.out);
  EXPECT_NE(run_ctl({"help", "plugin"}).out.find("plugin restart"), std::string::npos);
  for (const char* name : {"plugin", "nothing"}) {
    const auto helped = run_ctl({"help", name}), option = run_ctl({name, "--help"});
    EXPECT_EQ(option.code, helped.code) << name;
    EXPECT_EQ(option.out, helped.out) << name;
    EXPECT_EQ(option.err, helped.err) << name;
  }
  EXPECT_EQ(run_ctl({"help", "nothing"}).code, 2);
}

TEST(Arguments, what_cannot_be_meant_is_exit_code_2) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"completion", "zsh"}, {"bus", "watch", "--count", "0"}, {"scan", ""}, {"update", "export", ""}}) {
    const auto ran = run_ctl(words);
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_NE(ran.err.find("; see picketctl "), std::string::npos) << ran.err;
  }
}

TEST(Arguments, help_has_no_blanks_at_the_ends_of_lines) {
  for (const char* group : {"update", "plugin", "ksn", "task"}) EXPECT_EQ(run_ctl({"help", group}).out.find(" \n"), std::string::npos) << group;
}

TEST(Arguments, help_fits_a_hundred_columns) {
  std::vector<std::vector<std::string>> pages{{"help"}, {"help", "update"}, {"help", "plugin"}, {"help", "ksn"}, {"help", "point"}, {"help", "policy"}};
  for (const auto& page : pages) {
    std::istringstream lines(run_ctl(page).out);
    int read = 0;
    for (std::string line; std::getline(lines, line); ++read) EXPECT_LE(line.size(), 100U) << line;
    EXPECT_GT(read, 2) << page.back();
  }
}

TEST(Arguments, the_socket_is_where_picketd_conf_says) {
  test::CtlPicketd picketd;
  const auto conf = picketd.folder() / "picketd.conf";
  ASSERT_TRUE(write_file_atomic(conf, "# comment\nlog-level = debug\nrun-dir = /nonexistent/run\nplugin-dir = /a\nplugin-dir = /b\n"));
  const auto ran = run_ctl({"status", "--config", conf.string()});
  EXPECT_EQ(ran.code, 3);
  EXPECT_NE(ran.err.find("/nonexistent/run/picketd.sock"), std::string::npos) << ran.err;
  ASSERT_TRUE(write_file_atomic(conf, "run-dir\n"));
  EXPECT_EQ(run_ctl({"status", "--config", conf.string()}).code, 2);
}

TEST(Arguments, version_needs_no_picketd) {
  const auto ran = run_ctl({"version", "--socket", "/nonexistent/x.sock"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out, "picketctl " PICKET_VERSION "\n");
  EXPECT_EQ(run_ctl({"--version"}).out, ran.out);
}

TEST(Nearest, is_only_what_was_probably_meant) {
  const std::vector<std::string> names{"status", "scan", "update"};
  EXPECT_EQ(nearest("sttus", names), "status");
  EXPECT_EQ(nearest("udpate", names), "update");
  EXPECT_EQ(nearest("x", names), "");
  EXPECT_EQ(nearest("completely-other", names), "");
}

}  // namespace
}  // namespace picket::ctl
