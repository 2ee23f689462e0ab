#include "app/config.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"
#include "support/without_privilege.hpp"

namespace picket::app {
namespace {

using testing::HasSubstr;

class ReadConfig : public testing::Test {
 protected:
  std::string file(const std::string& text) {
    const auto path = folder_ / "picketd.conf";
    std::ofstream(path) << text;
    return path;
  }
  static Result<CommandLine> read(std::vector<const char*> arguments, const std::string& usual = "/does/not/exist.conf") {
    arguments.insert(arguments.begin(), "picketd");
    return read_config(static_cast<int>(arguments.size()), arguments.data(), usual);
  }
  static std::string from(const Config& config, const std::string& name) {
    for (const auto& value : config.values)
      if (value.name == name) return value.from;
    return "absent";
  }
  const support::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
};

TEST_F(ReadConfig, the_command_line_wins_over_the_file_and_the_file_over_defaults) {
  const auto path = file("data-dir = /from/file\ntenant = acme\n# a comment\nplugin-dir = /p1\nplugin-dir = /p2\n");
  const auto read_back = read({"--config", path.c_str(), "--data-dir", "/from/line"});
  ASSERT_TRUE(read_back) << read_back.error().message;
  const auto& config = read_back->config;
  EXPECT_EQ(config.data_dir, "/from/line");
  EXPECT_EQ(config.tenant, "acme");
  EXPECT_EQ(config.run_dir, "/run/picket");
  EXPECT_THAT(config.plugin_dirs, testing::ElementsAre("/p1", "/p2"));
  EXPECT_EQ(from(config, "data-dir"), "command line");
  EXPECT_EQ(from(config, "tenant"), "file");
  EXPECT_EQ(from(config, "run-dir"), "default");
}

TEST_F(ReadConfig, a_wrong_name_is_named_with_the_file) {
  const auto path = file("data_dri = /x\n");
  const auto result = read({"--config", path.c_str()});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::AllOf(HasSubstr(path), HasSubstr("data_dri")));
}

TEST_F(ReadConfig, a_file_that_was_asked_for_must_exist) {
  const auto result = read({"--config", "/does/not/exist"});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("/does/not/exist"));
}

TEST_F(ReadConfig, the_usual_file_may_be_absent_but_not_unreadable) {
  ASSERT_TRUE(read({}));
  const auto path = file("tenant = acme\n");
  EXPECT_EQ(read({}, path)->config.tenant, "acme");
  std::filesystem::permissions(folder_, std::filesystem::perms::owner_all | std::filesystem::perms::others_exec);
  std::filesystem::permissions(path, std::filesystem::perms::none);
  const support::WithoutPrivilege nobody;
  for (const auto& result : {read({}, path), read({"--config", path.c_str()})}) {
    ASSERT_FALSE(result) << "would run without its tenant";
    EXPECT_EQ(result.error().message, "open " + path + ": Permission denied");
  }
}

TEST_F(ReadConfig, a_folder_is_no_file) {
  const auto result = read({"--config", folder_.c_str()});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::AllOf(HasSubstr(folder_.native()), HasSubstr("Is a directory")));
  EXPECT_FALSE(read({}, folder_));
}

TEST_F(ReadConfig, values_out_of_range_are_refused) {
  const auto path = file("");
  for (const char* bad : {"--policy-threshold=0", "--policy-threshold=x", "--policy-threshold=-1", "--log-format=xml", "--log-level=loud", "--log-level=info,bus=loud", "stray"}) {
    const auto result = read({"--config", path.c_str(), bad});
    EXPECT_FALSE(result) << bad;
  }
}

TEST_F(ReadConfig, a_path_that_is_not_absolute_is_refused_with_its_option_and_its_file) {
  for (const char* bad : {"data-dir =\n", "run-dir = run\n", "plugin-dir = /p1\nplugin-dir = p2\n", "settings-dir = \"/etc/picket/settings\"\n", "update-root = root.json\n", "log-file = ./log\n"}) {
    const auto path = file(bad);
    const auto result = read({"--config", path.c_str()});
    ASSERT_FALSE(result) << bad;
    const std::string name(bad, std::string_view(bad).find(' '));
    EXPECT_THAT(result.error().message, testing::AllOf(HasSubstr(path), HasSubstr(name), HasSubstr("is no absolute path")));
  }
  const auto path = file("log-file =\n");
  EXPECT_TRUE(read({"--config", path.c_str()}));
  EXPECT_THAT(read({"--config", path.c_str(), "--data-dir", "data"}).error().message, HasSubstr("command line: data-dir: 'data' is no absolute path"));
  const auto cwd = std::filesystem::current_path();
  EXPECT_TRUE(read({"--config", std::filesystem::relative(path, cwd).c_str()})) << "the file itself is found as it was typed";
}

TEST_F(ReadConfig, a_data_folder_that_plugins_could_not_be_told_of_is_refused) {
  const auto path = file("data-dir = /srv/\xff\n");
  const auto result = read({"--config", path.c_str()});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::AllOf(HasSubstr(path), HasSubstr("data-dir: its name is not UTF-8")));
  EXPECT_TRUE(read({"--config", file("log-file = /srv/\xff\n").c_str()}));
}

TEST_F(ReadConfig, a_word_too_many_is_named) {
  const auto path = file("");
  EXPECT_THAT(read({"--config", path.c_str(), "extra"}).error().message, HasSubstr("unexpected argument 'extra'"));
}

TEST_F(ReadConfig, help_and_version_are_texts) {
  const auto path = file("");
  EXPECT_THAT(read({"--config", path.c_str(), "--help"})->text, HasSubstr("--data-dir"));
  EXPECT_THAT(read({"--config", path.c_str(), "--version"})->text, HasSubstr("picketd "));
}

}  // namespace
}  // namespace picket::app
