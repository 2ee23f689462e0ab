#include "storage/journal.hpp"

#include <csignal>
#include <filesystem>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "support/temporary_folder.hpp"

namespace picket::storage {
namespace {

namespace fs = std::filesystem;

class JournalFile : public ::testing::Test {
 protected:
  void SetUp() override { path_ = folder_ / "journal"; }

  Journal open() {
    seen_.clear();
    auto journal = Journal::open(path_, [this](std::string_view record) { seen_.emplace_back(record); });
    EXPECT_TRUE(journal) << journal.error().message;
    return std::move(journal).value();
  }
  std::string bytes() { return read_file(path_, Journal::kMaxFile).value(); }
  void put(std::string_view text) { ASSERT_TRUE(write_file_atomic(path_, text)); }

  const support::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  fs::path path_;
  std::vector<std::string> seen_;
};

using Records = std::vector<std::string>;

TEST_F(JournalFile, gives_back_what_was_appended_in_order) {
  {
    auto journal = open();
    for (const auto* record : {"one", "", "three\0with zero"}) ASSERT_TRUE(journal.append(record));
  }
  open();
  EXPECT_EQ(seen_, (Records{"one", "", "three"}));
}

TEST_F(JournalFile, ignores_a_torn_tail_at_every_length_and_goes_on_after_it) {
  {
    auto journal = open();
    ASSERT_TRUE(journal.append("first"));
    ASSERT_TRUE(journal.append("second, a longer record"));
  }
  const auto whole = bytes();
  const auto first = 16 + 5;
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    put(whole.substr(0, cut));
    auto journal = open();
    EXPECT_EQ(seen_, cut < first ? Records{} : Records{"first"}) << cut;
    EXPECT_EQ(journal.replayed().torn_bytes, cut < first ? cut : cut - first);
    ASSERT_TRUE(journal.append("after"));
    open();
    EXPECT_EQ(seen_.back(), "after");
    EXPECT_EQ(seen_.size(), cut < first ? 1u : 2u);
  }
}

TEST_F(JournalFile, loses_only_the_record_that_a_flipped_bit_hits) {
  {
    auto journal = open();
    for (const auto* record : {"aaaa", "bbbb", "cccc"}) ASSERT_TRUE(journal.append(record));
  }
  const auto whole = bytes();
  for (std::size_t at = 20; at < 40; ++at)
    for (int bit = 0; bit < 8; ++bit) {
      auto bad = whole;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      put(bad);
      const auto journal = open();
      EXPECT_EQ(seen_, (Records{"aaaa", "cccc"})) << at << "." << bit;
      EXPECT_EQ(journal.replayed().damaged_bytes, 20u);
      EXPECT_EQ(journal.replayed().torn_bytes, 0u);
    }
}

TEST_F(JournalFile, rewrite_replaces_all_records_and_appending_goes_on) {
  {
    auto journal = open();
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(journal.append("old"));
    const Records records{"x", "y"};
    ASSERT_TRUE(journal.rewrite(records));
    ASSERT_TRUE(journal.append("z"));
  }
  open();
  EXPECT_EQ(seen_, (Records{"x", "y", "z"}));
}

TEST_F(JournalFile, refuses_a_record_over_the_limit_and_keeps_the_rest) {
  auto journal = open();
  ASSERT_TRUE(journal.append("kept"));
  const auto refused = journal.append(std::string(Journal::kMaxRecord + 1, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::too_large);
  open();
  EXPECT_EQ(seen_, Records{"kept"});
}

TEST_F(JournalFile, a_full_disk_fails_the_append_and_leaves_whole_records) {
  auto journal = open();
  ASSERT_TRUE(journal.append("kept"));
  const auto before = journal.size();
  struct rlimit old {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  auto* const old_handler = ::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { before + 10, old.rlim_max };
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto refused = journal.append("does not fit any more");
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, old_handler);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find(path_.native()), std::string::npos) << refused.error().message;
  EXPECT_EQ(fs::file_size(path_), before);
  ASSERT_TRUE(journal.append("fits again"));
  open();
  EXPECT_EQ(seen_, (Records{"kept", "fits again"}));
}

TEST_F(JournalFile, says_which_folder_is_missing) {
  const auto journal = Journal::open(folder_ / "absent" / "journal", [](std::string_view) {});
  ASSERT_FALSE(journal);
  EXPECT_NE(journal.error().message.find("absent"), std::string::npos);
}

}  // namespace
}  // namespace picket::storage
