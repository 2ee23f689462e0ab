#include "update/history.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "support/temporary_folder.hpp"

namespace picket::update {
namespace {

namespace fs = std::filesystem;

class HistoryFile : public ::testing::Test {
 protected:
  static v1::RunResult run(std::uint64_t number, std::string text = "why \"quoted\"\nand more") {
    v1::RunResult out;
    out.set_run(number);
    out.set_kind("update");
    out.set_result("partial");
    out.set_started(5);
    out.set_finished(6);
    out.set_source("usb");
    out.set_text(std::move(text));
    out.set_bytes(7);
    out.set_unnamed(4);
    auto& component = *out.add_components();
    component.set_component("rules");
    component.set_result("updated");
    component.set_variant("full");
    component.set_release_before(1);
    component.set_release_after(2);
    component.set_bytes(3);
    return out;
  }
  History open() { return History(root_ / "history", Steps()); }
  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
};

TEST_F(HistoryFile, gives_back_all_members_newest_first) {
  auto history = open();
  EXPECT_EQ(history.read(0).value().runs_size(), 0);
  for (std::uint64_t i = 1; i <= 25; ++i) ASSERT_TRUE(history.add(run(i)));
  const auto runs = open().read(0).value();
  ASSERT_EQ(runs.runs_size(), 20);
  EXPECT_EQ(runs.runs(0).SerializeAsString(), run(25).SerializeAsString());
  EXPECT_EQ(runs.runs(19).run(), 6u);
  EXPECT_EQ(open().read(3).value().runs_size(), 3);
}

TEST_F(HistoryFile, survives_a_torn_last_line_and_rubbish) {
  auto history = open();
  ASSERT_TRUE(history.add(run(1)));
  ASSERT_TRUE(history.add(run(2)));
  auto text = read_file(root_ / "history", 1 << 20).value();
  ASSERT_TRUE(write_file_atomic(root_ / "history", "rubbish\n[]\n{\"run\":\"x\"}\n" + text.substr(0, text.size() - 20)));
  ASSERT_TRUE(history.add(run(3)));
  const auto runs = history.read(0).value();
  ASSERT_EQ(runs.runs_size(), 2);
  EXPECT_EQ(runs.runs(0).run(), 3u);
  EXPECT_EQ(runs.runs(1).run(), 1u);
}

TEST_F(HistoryFile, stays_bounded_in_runs_and_bytes) {
  auto history = open();
  std::string lines;
  for (std::uint64_t i = 1; i <= 2 * History::kMaxRuns; ++i) lines += to_line(run(i)) + "\n";
  ASSERT_TRUE(write_file_atomic(root_ / "history", lines));
  ASSERT_TRUE(history.add(run(1000)));
  auto text = read_file(root_ / "history", 4u << 20).value();
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(text, '\n')), History::kMaxRuns);
  EXPECT_EQ(history.read(1).value().runs(0).run(), 1000u);
  for (std::uint64_t i = 1001; i <= 1030; ++i) ASSERT_TRUE(history.add(run(i, std::string(60'000, 'x'))));
  EXPECT_LE(fs::file_size(root_ / "history"), History::kMaxFile);
  const auto runs = history.read(20).value();
  EXPECT_GE(runs.runs_size(), 1);
  EXPECT_LT(runs.ByteSizeLong(), 131072u) << "must fit into one answer";
  EXPECT_EQ(runs.runs(0).run(), 1030u);
}

}  // namespace
}  // namespace picket::update
