// Kills who installs a new picketd in the free slot, and the launcher that then tries it, before every single step. Afterwards a slot starts
// whose programs are whole: the old one's or the new one's; and the next attempt gets to the end.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "base/files.hpp"
#include "launcher/launcher.hpp"
#include "launcher/link.hpp"
#include "package/agent_release.hpp"
#include "selfupdate/slots.hpp"
#include "support/leftovers.hpp"

namespace picket {
namespace {

namespace fs = std::filesystem;
using launcher::Slot;

constexpr const char* kOldSet = "1-full-00000000";
constexpr const char* kNewSet = "2-full-0123abcd";

// Shared with the child that dies.
struct Seen {
  long steps;
};

class SlotKill : public ::testing::Test {
 protected:
  SlotKill() : seen_(static_cast<Seen*>(::mmap(nullptr, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))), key_(std::move(trust::PrivateKey::generate("ed25519").value())) {
    std::string pattern = (fs::temp_directory_path() / "picket-slot-kill-XXXXXX").native();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    root_ = pattern;
    // Each writes down that it was started. On the second life of all it just leaves.
    write(root_ / "picketd", "#!/bin/sh\necho package >> \"$PICKET_SLOTS/started\"\n");
    make_set("old", cat("#!/bin/sh\n[ -z \"$LOOK\" ] || { echo old >> \"$PICKET_SLOTS/started\"; exit 0; }\necho 'try b ", kNewSet, " 0.2.0' >&3\nexec sleep 1000\n"), "0.1.0");
    make_set("new", "#!/bin/sh\necho ready >&3\necho well >&3\necho new >> \"$PICKET_SLOTS/started\"\nexit 0\n", "0.2.0");
  }
  ~SlotKill() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
    ::munmap(seen_, sizeof(Seen));
  }

  static void write(const fs::path& path, std::string_view text) {
    if (!make_folders(path.parent_path()) || !write_file_atomic(path, text, 0755)) std::abort();
    ::chmod(path.c_str(), 0755);
  }
  void make_set(const char* name, std::string_view picketd, const std::string& version) {
    write(root_ / name / "bin/picketd", picketd);
    write(root_ / name / "bin/picket-plugin-host", cat("#!/bin/sh\n# ", name, "\n"));
    if (!package::write_release(root_ / name, version, key_)) std::abort();
  }
  [[nodiscard]] package::AgentRelease release(const char* name) const {
    const trust::PublicKey keys[] = {key_.public_key()};
    return package::read_release(root_ / name, keys).value();
  }
  // The old release in slot A, confirmed.
  void begin() {
    slots_ = root_ / "slots";
    std::error_code ignored;
    fs::remove_all(slots_, ignored);
    ASSERT_TRUE(selfupdate::install_release(root_ / "old", release("old"), slots_, Slot::a));
    launcher::SlotState state;
    ASSERT_TRUE(launcher::begin_trial(state, Slot::a, kOldSet, "0.1.0"));
    launcher::confirm(state);
    ASSERT_TRUE(write_file_atomic(slots_ / "state", to_text(state)));
  }

  // Installs (unless only a look is wanted) and launches; the signal that ended it, or 0 when it got to the end with status 0.
  int live(long kill_at, bool only_look = false) {
    *seen_ = {};
    fs::remove(slots_ / "started");
    const pid_t child = ::fork();
    if (child == 0) {
      const auto step = [&](std::string_view) {
        if (++seen_->steps == kill_at) ::kill(::getpid(), SIGKILL);
      };
      if (only_look) ::setenv("LOOK", "1", 1);
      const auto state = launcher::read_slots(slots_).value_or(launcher::SlotState{});
      if (!only_look && !state.trial && state.confirmed == Slot::a && !selfupdate::install_release(root_ / "new", release("new"), slots_, Slot::b, step)) ::_exit(1);
      launcher::Options options;
      options.slots = slots_;
      options.package = {(root_ / "picketd").native()};
      options.prove_within = std::chrono::seconds(20);
      options.at_step = step;
      ::_exit(launcher::launch(options));
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) == 0 ? 0 : -WEXITSTATUS(status);
  }
  [[nodiscard]] std::string started() const { return read_file(slots_ / "started", 10'000).value_or(""); }

  Seen* const seen_;
  const trust::PrivateKey key_;
  fs::path root_, slots_;
};

TEST_F(SlotKill, at_every_step_leaves_a_slot_that_starts) {
  begin();
  ASSERT_EQ(live(0), 0);
  ASSERT_EQ(started(), "new\n");
  const auto steps = seen_->steps;
  ASSERT_GT(steps, 10);
  bool seen_old = false, seen_new = false;
  for (long step = 1; step <= steps; ++step) {
    SCOPED_TRACE(cat("killed before step ", std::to_string(step)));
    begin();
    ASSERT_EQ(live(step), SIGKILL);
    support::leave_cut_off_write(slots_ / "state");  // as if the launcher had been killed inside of a write
    // What is to be started next is whole.
    const auto state = launcher::read_slots(slots_);
    ASSERT_TRUE(state) << state.error().message;
    const auto slot = state->next();
    ASSERT_NE(slot, Slot::package);
    const bool is_new = slot == Slot::b;
    ASSERT_TRUE(selfupdate::verify_slot(release(is_new ? "new" : "old"), slots_, slot));
    ASSERT_TRUE(selfupdate::verify_slot(release("old"), slots_, Slot::a)) << "the way back is gone";
    // And it starts.
    ASSERT_EQ(live(0, true), 0);
    ASSERT_EQ(started(), is_new ? "new\n" : "old\n");
    (is_new ? seen_new : seen_old) = true;
    // The next attempt gets to the end.
    ASSERT_EQ(live(0), 0);
    ASSERT_EQ(started(), "new\n");
    const auto end = launcher::read_slots(slots_);
    ASSERT_TRUE(end);
    ASSERT_EQ(end->confirmed, Slot::b);
    ASSERT_FALSE(end->trial);
    ASSERT_FALSE(fs::exists(slots_ / "b.new"));
    ASSERT_EQ(support::leftovers_below(slots_), "");
  }
  EXPECT_TRUE(seen_old);
  EXPECT_TRUE(seen_new);
}

// A release that was confirmed crashes once too often: whatever the launcher is killed at, the one before is what runs in the end.
TEST_F(SlotKill, while_it_takes_back_what_crashes_after_it_was_confirmed) {
  make_set("new", "#!/bin/sh\necho new >> \"$PICKET_SLOTS/started\"\nkill -SEGV $$\n", "0.2.0");
  const auto begin_crashing = [&] {
    begin();
    ASSERT_TRUE(selfupdate::install_release(root_ / "new", release("new"), slots_, Slot::b));
    auto state = launcher::read_slots(slots_).value();
    ASSERT_TRUE(launcher::begin_trial(state, Slot::b, kNewSet, "0.2.0"));
    launcher::confirm(state, ::time(nullptr) + 10'000);
    state.probation->crashes = 2;
    ASSERT_TRUE(write_file_atomic(slots_ / "state", to_text(state)));
  };
  begin_crashing();
  ASSERT_EQ(live(0, true), 0);
  ASSERT_EQ(started(), "new\nold\n");
  const auto steps = seen_->steps;
  ASSERT_GE(steps, 3);  // the start, the state, the start of the other
  for (long step = 1; step <= steps; ++step) {
    SCOPED_TRACE(cat("killed before step ", std::to_string(step)));
    begin_crashing();
    ASSERT_EQ(live(step, true), SIGKILL);
    ASSERT_EQ(live(0, true), 0);
    ASSERT_TRUE(started() == "old\n" || started() == "new\nold\n") << started();
    const auto state = launcher::read_slots(slots_);
    ASSERT_TRUE(state) << state.error().message;
    ASSERT_EQ(state->confirmed, Slot::a);
    ASSERT_EQ(state->taken_back.value_or(launcher::TakenBack{}).set, kNewSet);
  }
}

}  // namespace
}  // namespace picket
