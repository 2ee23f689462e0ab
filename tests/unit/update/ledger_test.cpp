#include "update/ledger.hpp"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temporary_folder.hpp"

namespace picket::update {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class LedgerFile : public ::testing::Test {
 protected:
  Ledger open() { return Ledger::open(root_ / "journal", Steps()).value(); }
  static void put(Ledger& ledger, const std::string& set, bool restoring = false, bool back = false) {
    ASSERT_TRUE(ledger.begin("rules", {ledger.record("rules").in_force, set, restoring, back}));
    ASSERT_TRUE(ledger.switched("rules", 7));
  }
  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
};

TEST_F(LedgerFile, remembers_what_is_in_force_and_what_was_before) {
  {
    auto ledger = open();
    put(ledger, "1");
    put(ledger, "2");
    put(ledger, "3");
    ASSERT_TRUE(ledger.confirmed("rules"));
  }
  const auto ledger = open();
  const auto& record = ledger.record("rules");
  EXPECT_EQ(record.in_force, "3");
  EXPECT_EQ(record.activated, 7);
  EXPECT_TRUE(record.confirmed);
  EXPECT_THAT(record.earlier, ElementsAre("2", "1"));
  EXPECT_FALSE(record.pending);
  EXPECT_EQ(ledger.record("unknown").in_force, "");
}

TEST_F(LedgerFile, a_change_that_was_begun_is_still_pending_after_a_restart) {
  {
    auto ledger = open();
    put(ledger, "1");
    ASSERT_TRUE(ledger.begin("rules", {"1", "2", false, false}));
  }
  auto ledger = open();
  ASSERT_TRUE(ledger.record("rules").pending);
  EXPECT_EQ(ledger.record("rules").pending->to, "2");
  EXPECT_EQ(ledger.record("rules").in_force, "1");
  ASSERT_TRUE(ledger.abandoned("rules"));
  EXPECT_FALSE(open().record("rules").pending);
}

TEST_F(LedgerFile, what_is_left_by_going_back_is_nothing_to_come_back_to) {
  auto ledger = open();
  put(ledger, "1");
  put(ledger, "2");
  put(ledger, "1", true, true);
  EXPECT_EQ(ledger.record("rules").in_force, "1");
  EXPECT_TRUE(ledger.record("rules").earlier.empty());
  EXPECT_TRUE(ledger.record("rules").confirmed);
}

TEST_F(LedgerFile, remembers_what_is_on_trial_and_where_it_goes_back_to) {
  const auto put_on_trial = [](Ledger& ledger, const std::string& set) {
    ASSERT_TRUE(ledger.begin("rules", {ledger.record("rules").in_force, set, false, false, true}));
    ASSERT_TRUE(ledger.switched("rules", 7));
  };
  {
    auto ledger = open();
    put(ledger, "5-full-a");
    EXPECT_FALSE(ledger.record("rules").is_on_trial());
    put_on_trial(ledger, "6-full-b");
    put_on_trial(ledger, "7-full-c");
  }
  auto ledger = open();
  const auto& record = ledger.record("rules");
  EXPECT_TRUE(record.is_on_trial());
  EXPECT_EQ(record.verified, "5-full-a");
  put(ledger, "6-full-b", true, true);
  EXPECT_TRUE(record.is_on_trial()) << "nobody has tried that one either";
  put(ledger, "5-full-a", true, true);
  EXPECT_FALSE(record.is_on_trial());
  EXPECT_EQ(record.verified, "5-full-a") << "newer ones still have to be verified";
  put_on_trial(ledger, "7-full-c");
  ASSERT_TRUE(ledger.passed("rules"));
  EXPECT_EQ(open().record("rules").verified, "7-full-c");
  EXPECT_FALSE(open().record("rules").is_on_trial());
  put(ledger, "8-full-d");
  EXPECT_FALSE(open().record("rules").verified) << "an update that is no trial";
}

TEST_F(LedgerFile, keeps_refusals_newest_first_bounded_and_once_each) {
  auto ledger = open();
  std::string why = "x";
  for (int i = 0; i < 1000; ++i) why += "\xc3\xa9";  // JSON takes no half character
  for (std::uint64_t release = 1; release <= 50; ++release) ASSERT_TRUE(ledger.refuse("rules", {release, false, why}));
  ASSERT_TRUE(ledger.refuse("rules", {30, true, "rolled back"}));
  ASSERT_TRUE(ledger.allow("rules", 50));
  const auto again = open();
  const auto& refused = again.record("rules").refused;
  ASSERT_EQ(refused.size(), Ledger::kMaxRefused - 1);
  EXPECT_EQ(refused[0].release, 30u);
  EXPECT_TRUE(refused[0].by_rollback);
  EXPECT_EQ(refused[1].release, 49u);
}

TEST_F(LedgerFile, compacting_changes_nothing_that_is_known) {
  {
    auto ledger = open();
    for (int i = 0; i < 300; ++i) {
      ASSERT_TRUE(ledger.refuse("rules", {77, false, std::string(990, 'x')}));
    }
    ASSERT_TRUE(ledger.allow("rules", 77));
    put(ledger, "1");
    put(ledger, "2");
    ASSERT_TRUE(ledger.confirmed("rules"));
    ASSERT_TRUE(ledger.learn_class("rules", "application"));
    ASSERT_TRUE(ledger.passed("rules"));
    ASSERT_TRUE(ledger.refuse("rules", {9, false, "why"}));
    ASSERT_TRUE(ledger.refuse("rules", {8, true, "rolled back"}));
    ASSERT_TRUE(ledger.begin("rules", {"2", "1", true, true, true}));
  }
  ASSERT_GT(fs::file_size(root_ / "journal"), 256u * 1024);
  for (int turn = 0; turn < 2; ++turn) {
    const auto ledger = open();
    EXPECT_LT(fs::file_size(root_ / "journal"), 4096u);
    const auto& record = ledger.record("rules");
    EXPECT_EQ(record.in_force, "2");
    EXPECT_TRUE(record.confirmed);
    EXPECT_THAT(record.earlier, ElementsAre("1"));
    ASSERT_EQ(record.refused.size(), 2u);
    EXPECT_EQ(record.refused[0].release, 8u);
    EXPECT_EQ(record.refused[1].why, "why");
    ASSERT_TRUE(record.pending);
    EXPECT_TRUE(record.pending->restoring);
    EXPECT_TRUE(record.pending->back);
    EXPECT_TRUE(record.pending->trial);
    EXPECT_EQ(record.verified, "2");
    EXPECT_EQ(record.cls, "application");
  }
}

}  // namespace
}  // namespace picket::update
