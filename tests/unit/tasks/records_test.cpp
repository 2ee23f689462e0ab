#include "tasks/records.hpp"

#include <cstdlib>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "support/temporary_folder.hpp"

namespace picket::tasks {
namespace {

namespace fs = std::filesystem;
namespace v1 = task::v1;

class TaskRecords : public ::testing::Test {
 protected:
  Records open() {
    auto records = Records::open(root_);
    EXPECT_TRUE(records) << records.error().message;
    return std::move(*records);
  }
  static v1::Run run(std::uint64_t number) {
    v1::Run out;
    out.set_run(number);
    out.set_task("nightly");
    out.set_type("update");
    out.set_trigger("schedule");
    out.set_result("partial");
    out.set_started(5);
    out.set_finished(6);
    out.set_text("one \"failed\"\nof two");
    out.set_news(true);
    auto& part = *out.add_parts();
    part.set_name("rules");
    part.set_result("updated");
    part.set_text("why");
    return out;
  }
  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
};

TEST_F(TaskRecords, a_run_survives_as_a_line) {
  const auto back = Records::run_of(Records::to_line(run(7)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->SerializeAsString(), run(7).SerializeAsString());
  EXPECT_EQ(Records::to_line(run(7)).find('\n'), std::string::npos);
  EXPECT_FALSE(Records::run_of("{}"));
  auto long_one = run(8);
  long_one.set_text("x");
  for (int i = 0; i < 2000; ++i) long_one.mutable_text()->append("\xc3\xa9");
  const auto kept = Records::run_of(Records::to_line(long_one));
  ASSERT_TRUE(kept) << "a text is cut between characters: JSON takes no half one";
  EXPECT_EQ(kept->text().size(), 1999u);
  EXPECT_FALSE(Records::run_of("rubbish"));
}

TEST_F(TaskRecords, of_too_many_parts_every_one_with_a_bad_result_stays_also_with_a_word_that_only_a_plugin_knows) {
  const std::vector<std::string> bad{"failed", "partial", "unsupported", "cancelled", "timed-out", "interrupted", "refused", "rolled-back", "removed", "quarantined", ""};
  auto big = run(9);
  big.clear_parts();
  const auto add = [&](std::string_view result) {
    auto& part = *big.add_parts();
    part.set_result(std::string(result));
    part.set_text(std::string(100, 'x'));
  };
  for (const auto* good : {"ok", "updated", "current", "fetched", "exported", "confirmed"})
    for (int i = 0; i < 500; ++i) add(good);
  for (const auto& result : bad) add(result);
  const auto told = Records::in_one_message(big);
  ASSERT_LT(told.parts_size(), big.parts_size());
  ASSERT_GT(told.parts_size(), static_cast<int>(bad.size())) << "what is left of the room is for what went well";
  std::vector<std::string> last;
  for (auto i = told.parts_size() - static_cast<int>(bad.size()); i < told.parts_size(); ++i) last.push_back(told.parts(i).result());
  EXPECT_EQ(last, bad);
}

TEST_F(TaskRecords, a_run_with_too_many_parts_for_one_message_keeps_those_that_failed_and_says_how_many_are_left_out) {
  EXPECT_EQ(Records::in_one_message(run(7)).SerializeAsString(), run(7).SerializeAsString());
  auto big = run(8);
  big.set_text(std::string(3000, 't'));
  big.clear_parts();
  for (int i = 0; i < 3000; ++i) {
    auto& part = *big.add_parts();
    part.set_name(std::to_string(i));
    part.set_result(i % 1000 == 999 ? "failed" : "updated");
    part.set_text(std::string(i == 2999 ? 5000 : 30, 'x'));
  }
  const auto told = Records::in_one_message(big);
  EXPECT_LE(told.ByteSizeLong(), Records::kMostOfRun);
  EXPECT_GT(told.ByteSizeLong(), Records::kMostOfRun / 2);
  std::vector<std::string> failed;
  for (const auto& part : told.parts())
    if (part.result() == "failed") failed.push_back(part.name());
  EXPECT_EQ(failed, (std::vector<std::string>{"999", "1999", "2999"}));
  EXPECT_EQ(told.parts(0).name(), "0");
  EXPECT_EQ(told.parts(told.parts_size() - 1).text().size(), Records::kMaxText);
  EXPECT_EQ(told.text().size(), Records::kMaxText);
  EXPECT_TRUE(told.text().ends_with(cat("; ", std::to_string(3000 - told.parts_size()), " of 3000 parts are left out: one message does not hold them all"))) << told.text();
  const auto kept = Records::run_of(Records::to_line(told));
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->SerializeAsString(), told.SerializeAsString());
}

TEST_F(TaskRecords, are_there_after_a_restart) {
  {
    auto records = open();
    ASSERT_TRUE(records.set("a", {1, 2, 3, "after b", 4, "update", "schedule", 5}));
    ASSERT_TRUE(records.set("b", {10, 20, 0, "", 0, "", ""}));
    ASSERT_TRUE(records.set("b", {10, 21, 0, "", 0, "", ""}));
    for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(records.add(run(i)));
  }
  const auto records = open();
  EXPECT_EQ(records.of("a"), (Remembered{1, 2, 3, "after b", 4, "update", "schedule", 5}));
  EXPECT_EQ(records.of("b").last_start, 21);
  EXPECT_EQ(records.of("c"), Remembered());
  std::vector<std::uint64_t> numbers;
  ASSERT_TRUE(records.read([&](const v1::Run& each) {
    numbers.push_back(each.run());
    return true;
  }));
  EXPECT_EQ(numbers, (std::vector<std::uint64_t>{3, 2, 1}));
}

TEST_F(TaskRecords, a_torn_write_loses_only_itself) {
  {
    auto records = open();
    ASSERT_TRUE(records.set("a", {1, 2, 0, "", 0, "", ""}));
    ASSERT_TRUE(records.set("a", {1, 9, 0, "", 0, "", ""}));
    ASSERT_TRUE(records.add(run(1)));
    ASSERT_TRUE(records.add(run(2)));
  }
  for (const auto* file : {"journal", "history.jsonl"}) fs::resize_file(root_ / file, fs::file_size(root_ / file) - 3);
  auto records = open();
  EXPECT_EQ(records.of("a").last_start, 2);
  int runs = 0;
  ASSERT_TRUE(records.read([&](const v1::Run& each) { return runs += static_cast<int>(each.run()), true; }));
  EXPECT_EQ(runs, 1);
  ASSERT_TRUE(records.add(run(3)));
  runs = 0;
  ASSERT_TRUE(records.read([&](const v1::Run& each) { return runs += static_cast<int>(each.run()), true; }));
  EXPECT_EQ(runs, 4) << "the next line does not stick to the torn one";
}

TEST_F(TaskRecords, stay_small_and_forget_what_is_no_task_any_more) {
  auto records = open();
  ASSERT_TRUE(records.set("gone", {1, 1, 0, "", 0, "", ""}));
  records.keep_only({"a"});
  for (std::int64_t i = 0; i < 2'500; ++i) ASSERT_TRUE(records.set("a", {1, i + 1, 7, std::string(i % 2 == 0 ? 40 : 41, 'x'), 0, "", ""}));
  EXPECT_LE(fs::file_size(root_ / "journal"), Records::kMaxJournal + 1024);
  const auto again = open();
  EXPECT_EQ(again.of("a").last_start, 2500);
  EXPECT_FALSE(again.all().contains("gone"));
}

TEST_F(TaskRecords, what_the_settings_before_had_is_not_forgotten_until_others_follow) {
  auto records = open();
  const auto write_anew = [&] {
    for (std::int64_t i = 0; i < 2'500; ++i) ASSERT_TRUE(records.set("a", {1, i + 1, 7, std::string(60, 'x'), 0, "", ""}));
  };
  ASSERT_TRUE(records.set("out", {1, 5, 0, "", 0, "", ""}));
  records.keep_only({"a", "out"});
  records.keep_only({"a"});
  records.keep_only({"a"});
  write_anew();
  EXPECT_EQ(records.of("out").last_start, 5);
  EXPECT_EQ(open().of("out").last_start, 5) << "nor on disk";
  records.keep_only({"a", "b"});
  write_anew();
  EXPECT_FALSE(records.all().contains("out"));
}

}  // namespace
}  // namespace picket::tasks
