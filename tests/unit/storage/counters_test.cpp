#include "storage/counters.hpp"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "support/temporary_folder.hpp"

namespace picket::storage {
namespace {

namespace fs = std::filesystem;

class CountersFile : public ::testing::Test {
 protected:
  Counters open() {
    auto counters = Counters::open(folder_ / "counters");
    EXPECT_TRUE(counters) << counters.error().message;
    return std::move(counters).value();
  }
  const support::TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

TEST_F(CountersFile, never_falls_also_after_a_restart) {
  {
    auto counters = open();
    EXPECT_EQ(counters.get("run"), 0u);
    ASSERT_TRUE(counters.raise("run", 7));
    ASSERT_TRUE(counters.raise("release yara-rules", 20260101));
  }
  auto counters = open();
  EXPECT_EQ(counters.get("run"), 7u);
  EXPECT_EQ(counters.get("release yara-rules"), 20260101u);
  const auto lower = counters.raise("run", 6);
  ASSERT_FALSE(lower);
  EXPECT_EQ(lower.error().code, Code::conflict);
  EXPECT_EQ(counters.next("run").value(), 8u);
  EXPECT_EQ(open().get("run"), 8u);
}

TEST_F(CountersFile, does_not_write_what_is_known) {
  auto counters = open();
  ASSERT_TRUE(counters.raise("a", 1));
  const auto size = fs::file_size(folder_ / "counters");
  ASSERT_TRUE(counters.raise("a", 1));
  EXPECT_EQ(fs::file_size(folder_ / "counters"), size);
}

TEST_F(CountersFile, stays_small_and_whole_over_many_changes) {
  auto counters = open();
  ASSERT_TRUE(counters.raise("rare", 42));
  for (std::uint64_t i = 1; i <= 3000; ++i) ASSERT_TRUE(counters.raise("often", i));
  EXPECT_LT(fs::file_size(folder_ / "counters"), 40'000u);
  const auto again = open();
  EXPECT_EQ(again.get("often"), 3000u);
  EXPECT_EQ(again.get("rare"), 42u);
}

TEST_F(CountersFile, damage_to_one_record_falls_back_to_the_one_before_and_is_told) {
  {
    auto counters = open();
    for (std::uint64_t i = 1; i <= 3; ++i) ASSERT_TRUE(counters.raise("n", i));
  }
  auto bytes = read_file(folder_ / "counters", 4096).value();
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  ASSERT_TRUE(write_file_atomic(folder_ / "counters", bytes));
  const auto counters = open();
  EXPECT_EQ(counters.get("n"), 3u);
  EXPECT_GT(counters.damaged_bytes(), 0u);
}

}  // namespace
}  // namespace picket::storage
