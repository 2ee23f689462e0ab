// The disk of an updating process fills up before every single step that writes, and stays full. One clear line, the old or the new set whole,
// and the next run with room gets to the end without a byte fetched twice.
#include "fault/update_life.hpp"
#include "support/small_disk.hpp"

namespace picket {
namespace {

constexpr const char* kArchive = "rules/full/2.tar.zst";

class UpdateDiskFull : public UpdateLives {
 protected:
  void SetUp() override {
    auto disk = support::SmallDisk::mount(root_ / "disk", 8u << 20);
    if (!disk) GTEST_SKIP() << "no small disk to be had here: " << disk.error().message;
    disk_ = std::move(*disk);
  }
  void TearDown() override { disk_.reset(); }
  // Of every step; returns how many lives ended with an error.
  int fill_before_each_step(const fs::path& base, const Files& old_files, const Files& new_files, std::uint64_t bytes) {
    const auto work = root_ / "disk/work", filler = root_ / "disk/filler";
    const auto whole = live(copy_of(base, work), root_ / "two", 0);
    EXPECT_EQ(whole.result, "ok: ") << whole.output;
    int failures = 0;
    for (long step = 1; step <= whole.steps; ++step) {
      SCOPED_TRACE(cat("full before step ", std::to_string(step)));
      copy_of(base, work);
      const auto full = live(work, root_ / "two", -step);
      EXPECT_TRUE(fs::exists(filler));
      EXPECT_EQ(full.signal, 0) << full.output;
      const auto now = in_force(work);
      EXPECT_TRUE(now == old_files || now == new_files) << "a mixture: " << full.output;
      if (full.result != "ok: ") {
        ++failures;
        EXPECT_TRUE(full.result.find("No space left") != full.result.npos || full.result.find("are free") != full.result.npos) << "what is wrong? " << full.output;
        EXPECT_EQ(std::ranges::count(full.output, '\n'), 3) << "one line: " << full.output;
      } else {
        EXPECT_EQ(now, new_files);
      }
      fs::remove(filler);
      const auto arrived = parts(work);
      const auto next = live(work, root_ / "two", 0);
      EXPECT_TRUE(next.result == "ok: " || (now == new_files && next.result == "current: ")) << next.output;
      EXPECT_EQ(in_force(work), new_files);
      EXPECT_LE(next.sent, now == new_files ? 0 : bytes - arrived) << "fetched again what was there";
      EXPECT_EQ(parts(work), 0u) << "a download was left behind";
      if (::testing::Test::HasFailure()) break;
    }
    return failures;
  }
  std::unique_ptr<support::SmallDisk> disk_;
};

TEST_F(UpdateDiskFull, before_any_step_of_an_update_is_told_and_loses_nothing) {
  publish_two_releases();
  const auto base = make_agent(root_ / "disk/base", {"one"});
  EXPECT_GT(fill_before_each_step(base, files_of(offer(1)), files_of(offer(2)), bytes_of(kArchive)), 5);
}

TEST_F(UpdateDiskFull, before_any_step_of_a_first_update_leaves_nothing_or_the_whole_set) {
  publish("two", {offer(2)});
  const auto base = make_agent(root_ / "disk/base", {});
  EXPECT_GT(fill_before_each_step(base, {}, files_of(offer(2)), bytes_of(kArchive)), 5);
}

TEST_F(UpdateDiskFull, does_not_hinder_going_back) {
  publish_two_releases();
  const auto base = make_agent(root_ / "disk/base", {"one", "two"}), work = root_ / "disk/work", filler = root_ / "disk/filler";
  const auto whole = live(copy_of(base, work), root_ / "two", 0, "rollback");
  ASSERT_EQ(whole.result, "ok: ") << whole.output;
  for (long step = 1; step <= whole.steps; ++step) {
    SCOPED_TRACE(cat("full before step ", std::to_string(step)));
    copy_of(base, work);
    const auto full = live(work, root_ / "two", -step, "rollback");
    ASSERT_EQ(full.signal, 0) << full.output;
    const auto now = in_force(work);
    ASSERT_TRUE(now == files_of(offer(1)) || now == files_of(offer(2))) << "a mixture: " << full.output;
    ASSERT_EQ(full.result == "ok: ", now == files_of(offer(1))) << "says one thing and does another: " << full.output;
    fs::remove(filler);
    // With room again it can be repeated, and what was left is not taken again.
    if (full.result != "ok: ") {
      ASSERT_EQ(live(work, root_ / "two", 0, "rollback").result, "ok: ");
    }
    ASSERT_EQ(in_force(work), files_of(offer(1)));
    ASSERT_EQ(live(work, root_ / "two", 0).result, "current: ");
  }
}

}  // namespace
}  // namespace picket
