// Kills a distribution point before every single step that changes its folder, while it replaces one set by another. Afterwards the link
// `public` shows the old or the new set whole, the next run gets to the end, and no file that had been verified is fetched twice. The same
// when the disk fills up there and the run goes on.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "mirror.hpp"
#include "support/leftovers.hpp"
#include "support/point_world.hpp"
#include "support/small_disk.hpp"
#include "unit/plugins/source_rig.hpp"

using namespace distribution_point;
using picket::cat;
using picket::plugin_tests::TemporaryFolder;
using picket::plugin_tests::pattern;
namespace support = picket::support;
namespace fs = std::filesystem;

namespace {

// Shared with the child that dies.
struct Seen {
  long steps;
  std::uint64_t sent;
  bool ok;
  char reason[400];
};

class PointKill : public ::testing::Test {
 protected:
  PointKill() : seen_(static_cast<Seen*>(::mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    for (const char* component : {"a", "b"}) offer(component, 1);
    old_.publish();
    repository_ = old_;
    for (const char* component : {"a", "b"}) repository_.offer({.component = component, .release = 2, .single = pattern(60'000) + component + "2"});
    repository_.publish();
  }
  ~PointKill() override { ::munmap(seen_, sizeof(Seen)); }
  void offer(const char* component, int release) { old_.offer({.component = component, .release = release, .single = pattern(60'000) + component + std::to_string(release)}); }

  // One life, killed before its step number `kill_at`; < 0: before that step the disk fills up; 0: lives to the end. The signal that ended it.
  int live(const fs::path& folder, const support::UpdateRepository& repository, long kill_at) {
    std::memset(static_cast<void*>(seen_), 0, sizeof(Seen));
    const pid_t child = ::fork();
    if (child == 0) {
      support::MapUpstream upstream;
      upstream.take(repository);
      auto store = Store::open(folder, [&](std::string_view) {
        seen_->sent = upstream.sent;
        const auto step = ++seen_->steps;
        if (step == kill_at) ::kill(::getpid(), SIGKILL);
        if (step == -kill_at) support::SmallDisk::fill(folder.parent_path() / "filler");
      });
      if (!store) ::_exit(1);
      Mirror mirror({*store, upstream, [](auto) {}, [] { return support::TufRepo::start + 3600; }, [](std::string_view) {}});
      MirrorSettings settings;
      settings.agent_demand = false;
      settings.components = {{"a", "full"}, {"b", "full"}};
      settings.grace = std::chrono::seconds(0);
      const std::atomic<bool> cancelled{false};
      const bool served = mirror.serve_published().has_value();
      (void)mirror.look_for_damage();
      const auto result = mirror.run(settings, {}, {}, {}, cancelled);
      seen_->sent = upstream.sent;
      seen_->ok = served && result.result_class() == "ok";
      std::strncpy(seen_->reason, result.reason().c_str(), sizeof seen_->reason - 1);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  static void copy_afresh(const fs::path& from, const fs::path& to) {
    fs::remove_all(to);
    ASSERT_EQ(std::system(cat("cp -a '", from.native(), "' '", to.native(), "'").c_str()), 0);
  }
  std::int64_t shown(const fs::path& folder, const char* component) {
    const auto place = root_.path() / "client";
    fs::remove_all(place);
    const auto got = support::CheckingClient(place, repository_.tuf.first_root(), support::read_folder(folder / "public")).newest(component);
    EXPECT_TRUE(got) << got.error().message;
    return got.value_or(0);
  }

  Seen* const seen_;
  TemporaryFolder root_;
  support::UpdateRepository old_, repository_;
};

TEST_F(PointKill, at_every_step_shows_the_old_or_the_new_set_whole_and_fetches_nothing_verified_twice) {
  const auto base = root_.path() / "base";
  ASSERT_EQ(live(base, old_, 0), 0);
  ASSERT_TRUE(seen_->ok);
  const auto copy = root_.path() / "copy";
  copy_afresh(base, copy);
  ASSERT_EQ(live(copy, repository_, 0), 0);
  ASSERT_TRUE(seen_->ok);
  const long steps = seen_->steps;
  const auto whole = seen_->sent;
  ASSERT_GT(steps, 15);
  bool saw_old = false, saw_new = false;
  for (long step = 1; step <= steps; ++step) {
    copy_afresh(base, copy);
    ASSERT_EQ(live(copy, repository_, step), SIGKILL) << step;
    for (const char* file : {"checked", "demand.log", "trusted/timestamp.json"}) support::leave_cut_off_write(copy / file);  // as if inside of these too
    const auto sent = seen_->sent;
    const auto a = shown(copy, "a"), b = shown(copy, "b");
    EXPECT_EQ(a, b) << step;  // never one of each
    saw_old = saw_old || a == 1;
    saw_new = saw_new || a == 2;
    ASSERT_EQ(live(copy, repository_, 0), 0) << step;
    EXPECT_TRUE(seen_->ok) << step;
    EXPECT_EQ(sent + seen_->sent, whole) << step;  // not a byte again
    EXPECT_EQ(shown(copy, "a"), 2) << step;
    EXPECT_EQ(shown(copy, "b"), 2) << step;
    std::size_t left = 0;
    for (const auto& entry : fs::directory_iterator(copy / "incoming")) left += entry.exists();
    EXPECT_EQ(left, 0u) << step;
    EXPECT_EQ(support::leftovers_below(copy), "") << step;
  }
  EXPECT_TRUE(saw_old && saw_new);
}

TEST_F(PointKill, at_every_step_of_healing_a_flipped_bit_is_healed_by_the_next_run) {
  const auto base = root_.path() / "base", copy = root_.path() / "copy";
  ASSERT_EQ(live(base, old_, 0), 0);
  ASSERT_TRUE(seen_->ok);
  const auto damaged_copy = [&] {
    copy_afresh(base, copy);
    for (const auto& entry : fs::directory_iterator(copy / "files")) {
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(30'000);
      file.put('!');
    }
  };
  damaged_copy();
  ASSERT_EQ(live(copy, old_, 0), 0);
  ASSERT_TRUE(seen_->ok) << seen_->reason;
  const long steps = seen_->steps;
  ASSERT_GT(steps, 15);
  for (long step = 1; step <= steps; ++step) {
    SCOPED_TRACE(step);
    damaged_copy();
    ASSERT_EQ(live(copy, old_, step), SIGKILL);
    ASSERT_EQ(live(copy, old_, 0), 0);
    EXPECT_TRUE(seen_->ok) << seen_->reason;
    EXPECT_EQ(shown(copy, "a"), 1);
    EXPECT_EQ(shown(copy, "b"), 1);
  }
}

TEST_F(PointKill, on_a_disk_that_fills_up_before_any_step_says_so_and_shows_the_old_or_the_new_set_whole) {
  auto disk = support::SmallDisk::mount(root_.path() / "disk", 80u << 20);
  if (!disk) GTEST_SKIP() << "no small disk to be had here: " << disk.error().message;
  const auto base = root_.path() / "base", copy = root_.path() / "disk/copy", filler = root_.path() / "disk/filler";
  ASSERT_EQ(live(base, old_, 0), 0);
  ASSERT_TRUE(seen_->ok) << seen_->reason;
  copy_afresh(base, copy);
  ASSERT_EQ(live(copy, repository_, 0), 0);
  ASSERT_TRUE(seen_->ok) << seen_->reason;
  const long steps = seen_->steps;
  const auto whole = seen_->sent;
  int failures = 0;
  for (long step = 1; step <= steps; ++step) {
    SCOPED_TRACE(step);
    copy_afresh(base, copy);
    ASSERT_EQ(live(copy, repository_, -step), 0);
    const auto sent = seen_->sent;
    const std::string reason = seen_->reason;
    const auto a = shown(copy, "a"), b = shown(copy, "b");
    EXPECT_EQ(a, b) << "never one of each";
    if (seen_->ok) {
      EXPECT_EQ(a, 2);
    } else {
      ++failures;
      EXPECT_TRUE(reason.find("No space left") != reason.npos || reason.find(" free") != reason.npos || reason.find("onto the disk") != reason.npos) << reason;
    }
    fs::remove(filler);
    ASSERT_EQ(live(copy, repository_, 0), 0);
    EXPECT_TRUE(seen_->ok) << seen_->reason;
    EXPECT_LE(sent + seen_->sent, whole + 2 * 16'384) << "no more again than what could not be written";
    EXPECT_EQ(shown(copy, "a"), 2);
    EXPECT_EQ(shown(copy, "b"), 2);
  }
  EXPECT_GT(failures, 3);
}

}  // namespace
