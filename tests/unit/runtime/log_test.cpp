#include "runtime/log.hpp"

#include <cstdlib>
#include <thread>

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.hpp"
#include "support/temporary_folder.hpp"

namespace picket::runtime {
namespace {

class LogTest : public ::testing::Test {
 protected:
  std::unique_ptr<Log> open(std::string levels, bool json = false) {
    LogOptions options;
    options.levels = std::move(levels);
    options.json = json;
    options.sink = [this](Level level, std::string_view line) { lines.emplace_back(level, line); };
    auto log = Log::open(std::move(options));
    EXPECT_TRUE(log) << log.error().message;
    return std::move(*log);
  }
  const support::TemporaryFolder temporary_;
  const std::filesystem::path folder = temporary_.path();
  std::vector<std::pair<Level, std::string>> lines;
};

// Standard error goes to a file for a while.
class CaughtStderr {
 public:
  CaughtStderr() : saved_(::dup(2)), file_(::memfd_create("stderr", MFD_CLOEXEC)) { ::dup2(file_.get(), 2); }
  ~CaughtStderr() { ::dup2(saved_.get(), 2); }
  std::string text() const {
    ::lseek(file_.get(), 0, SEEK_SET);
    return *read_all(file_.get(), 1u << 20);
  }
  std::string journal_stream() const {
    struct stat info{};
    ::fstat(2, &info);
    return std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  }

 private:
  UniqueFd saved_, file_;
};

TEST_F(LogTest, levels_are_per_part_and_inherited_by_dots) {
  const auto log = open("warning,update=debug,plugin=error,plugin.org.a=info");
  EXPECT_TRUE(log->part("update").wants(Level::debug));
  EXPECT_FALSE(log->part("bus").wants(Level::info));
  EXPECT_TRUE(log->part("bus").wants(Level::warning));
  EXPECT_FALSE(log->part("plugin.org.b").wants(Level::warning));
  EXPECT_TRUE(log->part("plugin.org.a").wants(Level::info));
  EXPECT_TRUE(log->part("plugin.org.a.x").wants(Level::info));
  EXPECT_FALSE(open("off")->part("any").wants(Level::error));
}

TEST_F(LogTest, levels_change_while_running) {
  const auto log = open("info");
  const auto part = log->part("bus");
  part.debug("unseen");
  ASSERT_TRUE(log->set_levels("info,bus=debug"));
  part.debug("seen ", 42, " times");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].second.ends_with("bus: seen 42 times")) << lines[0].second;
  EXPECT_FALSE(log->set_levels("info,bus=loud"));
  EXPECT_TRUE(part.wants(Level::debug)) << "a mistake changes nothing";
}

TEST_F(LogTest, levels_of_parts_that_nobody_takes_are_named) {
  const auto log = open("info,bus=debug,nope=debug,plugin=error,plugin.org=error,plugin.org.a=info,plugin.or=info");
  (void)log->part("bus");
  (void)log->part("plugin.org.a.x");
  EXPECT_EQ(log->silent_parts(), (std::vector<std::string>{"nope", "plugin.or"}));
}

TEST_F(LogTest, unknown_levels_are_named) {
  LogOptions options;
  options.levels = "verbose";
  EXPECT_EQ(Log::open(options).error().message, "log level 'verbose' is not debug, info, warning, error or off");
  options.levels = "=info";
  EXPECT_FALSE(Log::open(options));
  options.levels = "info,";
  EXPECT_TRUE(Log::open(options));
}

TEST_F(LogTest, lines_cannot_be_forged) {
  const auto log = open("info");
  log->part("plugin").info("hello\n2026-01-01T00:00:00.000Z error   update: all is lost\x1b[2J\xff\u202e");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].second.find('\n'), std::string::npos);
  EXPECT_EQ(lines[0].second.find('\x1b'), std::string::npos);
  EXPECT_TRUE(lines[0].second.ends_with("all is lost\\x1b[2J\\xff\\xe2\\x80\\xae")) << lines[0].second;
}

TEST_F(LogTest, users_and_passwords_of_addresses_are_left_out) {
  const auto log = open("info");
  log->part("update").warning("get http://proxy:hunter2@10.0.0.1:3128/x failed");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].second.ends_with("update: get http://***@10.0.0.1:3128/x failed")) << lines[0].second;
}

TEST_F(LogTest, json_is_one_object_a_line) {
  const auto log = open("info", true);
  log->part("up\"date").warning("a \"quoted\" \\ text\tand é");
  ASSERT_EQ(lines.size(), 1U);
  const auto object = boost::json::parse(lines[0].second);
  EXPECT_EQ(object.at("level"), "warning");
  EXPECT_EQ(object.at("part"), "up\"date");
  EXPECT_EQ(object.at("text"), "a \"quoted\" \\ text\\tand é");
  EXPECT_EQ(object.at("time").as_string().size(), std::string_view("2026-10-25T10:00:00.000Z").size());
}

TEST_F(LogTest, files_are_rotated_and_few_are_kept) {
  LogOptions options;
  options.file = folder / "deep" / "picketd.log";
  options.rotate_at = 2000;
  options.keep = 2;
  auto log = Log::open(options);
  ASSERT_TRUE(log) << log.error().message;
  const auto part = (*log)->part("test");
  for (int i = 0; i < 200; ++i) part.info("line ", i);
  std::size_t files = 0;

  for (const auto& file : std::filesystem::directory_iterator(folder / "deep")) {
    ++files;
    EXPECT_LE(file.file_size(), 2100U);
  }
  EXPECT_EQ(files, 3U);
  EXPECT_TRUE(read_file(options.file, 1u << 20)->ends_with("test: line 199\n")) << "nothing waits in a buffer";
  EXPECT_EQ((*log)->lost(), 0U);
}

TEST_F(LogTest, a_file_that_cannot_be_opened_is_an_error) {
  LogOptions options;
  options.file = folder / "dir";
  std::filesystem::create_directory(options.file);
  const auto log = Log::open(options);
  ASSERT_FALSE(log);
  EXPECT_NE(log.error().message.find("log file"), std::string::npos);
}

TEST_F(LogTest, what_cannot_be_written_is_counted_and_told_once) {
  LogOptions options;
  options.file = "/dev/full";
  auto log = Log::open(options);
  ASSERT_TRUE(log) << log.error().message;
  CaughtStderr caught;
  for (int i = 0; i < 3; ++i) (*log)->part("test").error("lost");
  EXPECT_EQ((*log)->lost(), 3U);
  const auto text = caught.text();
  EXPECT_NE(text.find("log: "), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
}

TEST_F(LogTest, under_systemd_lines_carry_the_journals_prefix) {
  CaughtStderr caught;
  ::setenv("JOURNAL_STREAM", caught.journal_stream().c_str(), 1);
  {
    const auto log = Log::open({});
    ASSERT_TRUE(log);
    (*log)->part("update").info("one");
    (*log)->part("update").error("two");
  }
  ::setenv("JOURNAL_STREAM", "1:1", 1);  // standard error is something else by now
  const auto other = Log::open({});
  (*other)->part("update").info("three");
  ::unsetenv("JOURNAL_STREAM");
  const auto text = caught.text();
  EXPECT_TRUE(text.starts_with("<6>update: one\n<3>update: two\n")) << text;
  EXPECT_TRUE(text.ends_with(" info    update: three\n")) << text;
}

TEST_F(LogTest, many_threads_write_whole_lines) {
  const auto log = open("info");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&log, t] {
      const auto part = log->part("thread" + std::to_string(t % 2));
      for (int i = 0; i < 250; ++i) part.info("line ", i);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(lines.size(), 1000U);
  for (const auto& [level, line] : lines) EXPECT_NE(line.find(": line "), std::string::npos);
}

TEST(Redact, removes_user_and_password_from_addresses) {
  EXPECT_EQ(redact("https://user:secret@host/path"), "https://***@host/path");
  EXPECT_EQ(redact("get ftp://u:p@a/x and http://b/y?q=z@w, then http://:p@c"), "get ftp://***@a/x and http://b/y?q=z@w, then http://***@c");
  EXPECT_EQ(redact("proxy http://a:b@c@host:80"), "proxy http://***@host:80");
  EXPECT_EQ(redact("mail me@example.org"), "mail me@example.org");
  EXPECT_EQ(redact("://@"), "://***@");
  EXPECT_EQ(redact(""), "");
}

TEST(Printable, escapes_controls_and_broken_utf8_only) {
  EXPECT_EQ(printable("plain é 漢"), "plain é 漢");
  EXPECT_EQ(printable(std::string_view("a\0b\x7f\r\n\t", 7)), "a\\x00b\\x7f\\r\\n\\t");
  EXPECT_EQ(printable("\xc3"), "\\xc3");
  EXPECT_EQ(printable("\xc2\x9b" "31m"), "\\xc2\\x9b31m") << "C1 CSI";
  EXPECT_EQ(printable("\xe2\x81\xa6x"), "\\xe2\\x81\\xa6x");
}

}  // namespace
}  // namespace picket::runtime
