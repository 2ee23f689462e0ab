// The launcher with programs that do as a test says: shell scripts in the place of picketd. It runs in a child, as its own process does.
#include "launcher/launcher.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.hpp"
#include "launcher/link.hpp"
#include "support/temporary_folder.hpp"

namespace picket::launcher {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{60};
// What each script begins with: it writes down that it was started.
constexpr const char* kHead = "#!/bin/sh\necho \"$PICKET_SLOT\" >> \"$PICKET_SLOTS/starts\"\n";
constexpr const char* kGood = "echo ready >&3; echo well >&3; exec sleep 1000\n";

class LauncherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    slots_ = root_ / "slots";
    package_ = (root_ / "picketd").native();
    ASSERT_TRUE(make_folders(slots_));
    script(package_, kGood);
  }
  void TearDown() override { end(SIGKILL); }

  void script(const fs::path& path, std::string_view body) {
    ASSERT_TRUE(make_folders(path.parent_path()));
    ASSERT_TRUE(write_file_atomic(path, cat(kHead, body), 0755));
    ::chmod(path.c_str(), 0755);
  }
  void put(Slot slot, std::string_view body) { script(program_of(slots_, slot), body); }
  void write_state(const SlotState& state) { ASSERT_TRUE(write_file_atomic(slots_ / "state", to_text(state))); }
  // On trial from the start, as after a restart of the machine.
  void put_on_trial(std::string_view body) {
    put(Slot::a, body);
    SlotState state;
    ASSERT_TRUE(begin_trial(state, Slot::a, "2-full-0123abcd", "0.2.0"));
    write_state(state);
  }

  void run(milliseconds prove_within = milliseconds(20'000), milliseconds stop_within = milliseconds(5'000)) {
    const auto log = root_ / "log";
    launcher_ = ::fork();
    ASSERT_GE(launcher_, 0);
    if (launcher_ != 0) return;
    Options options;
    options.slots = slots_;
    options.package = {package_, "--config", "x"};
    options.prove_within = prove_within;
    options.settle = milliseconds(10);
    options.stop_within = stop_within;
    options.log = [&](std::string_view line) { std::ofstream(log, std::ios::app) << line << "\n"; };
    const int code = launch(options);
    ::_exit(code);
  }
  int end(int signal) {
    if (launcher_ <= 0) return -1;
    ::kill(launcher_, signal);
    return wait_for_end();
  }
  [[nodiscard]] int wait_for_end() {
    int status = 0;
    const auto until = steady_clock::now() + kPatience;
    while (::waitpid(launcher_, &status, WNOHANG) != launcher_) {
      if (steady_clock::now() > until) {
        ADD_FAILURE() << "the launcher does not end: " << log();
        ::kill(launcher_, SIGKILL);
      }
      ::poll(nullptr, 0, 5);
    }
    launcher_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] SlotState state() const { return read_slots(slots_).value_or(SlotState{}); }
  [[nodiscard]] std::string starts() const { return read_file(slots_ / "starts", 1 << 20).value_or(""); }
  [[nodiscard]] std::string log() const { return read_file(root_ / "log", 1 << 20).value_or(""); }
  [[nodiscard]] bool wait(const std::function<bool()>& condition) const {
    const auto until = steady_clock::now() + kPatience;
    while (!condition()) {
      if (steady_clock::now() > until) return false;
      ::poll(nullptr, 0, 5);
    }
    return true;
  }

  const support::TemporaryFolder temporary_;
  const fs::path root_ = temporary_.path();
  fs::path slots_;
  std::string package_;
  pid_t launcher_ = -1;
};

TEST_F(LauncherTest, starts_the_package_and_ends_with_it) {
  script(package_, "[ \"$1 $2\" = '--config x' ] || exit 9\nexit 7\n");
  run();
  EXPECT_EQ(wait_for_end(), 7);
  EXPECT_EQ(starts(), "package\n");
}

TEST_F(LauncherTest, passes_sigterm_on_and_answers_with_its_status) {
  script(package_, "trap 'exit 0' TERM\necho ready >&3\nwhile :; do sleep 0.05; done\n");
  run();
  ASSERT_TRUE(wait([&] { return !starts().empty(); }));
  // The script may not have set its trap yet: then it dies of the signal, which is as good.
  const int code = end(SIGTERM);
  EXPECT_TRUE(code == 0 || code == 128 + SIGTERM) << code;
}

TEST_F(LauncherTest, kills_what_does_not_end) {
  script(package_, "trap '' TERM\necho up >> \"$PICKET_SLOTS/up\"\nwhile :; do sleep 0.05; done\n");
  run(milliseconds(20'000), milliseconds(200));
  ASSERT_TRUE(wait([&] { return fs::exists(slots_ / "up"); }));
  EXPECT_EQ(end(SIGTERM), 128 + SIGKILL);
}

TEST_F(LauncherTest, tries_what_picketd_wants_tried_and_confirms_it) {
  put(Slot::a, kGood);
  script(package_, "echo ready >&3; echo 'try a 2-full-0123abcd 0.2.0' >&3; exec sleep 1000\n");
  run();
  ASSERT_TRUE(wait([&] { return state().confirmed == Slot::a; })) << log();
  EXPECT_EQ(starts(), "package\na\n");
  EXPECT_FALSE(state().trial);
  EXPECT_EQ(state().of(Slot::a).set, "2-full-0123abcd");
  // After the next start it is the one.
  EXPECT_NE(end(SIGTERM), -1);
  run();
  ASSERT_TRUE(wait([&] { return starts() == "package\na\na\n"; })) << log();
}

TEST_F(LauncherTest, takes_back_what_ends_again_and_again) {
  put_on_trial("exit 3\n");
  run();
  ASSERT_TRUE(wait([&] { return starts() == "a\na\na\npackage\n"; })) << log();
  EXPECT_EQ(state().next(), Slot::package);
  EXPECT_EQ(state().taken_back.value_or(TakenBack{}).why, "it ended with status 3 before it was well, 3 times");
}

TEST_F(LauncherTest, takes_back_what_hangs_even_if_it_does_not_want_to_end) {
  put_on_trial("trap '' TERM\nwhile :; do sleep 0.05; done\n");
  run(milliseconds(300));
  ASSERT_TRUE(wait([&] { return starts().ends_with("package\n"); })) << log();
  EXPECT_TRUE(starts() == "a\npackage\n" || starts() == "package\n") << starts();  // on a slow computer it is ended before it has written anything down
  EXPECT_NE(state().taken_back.value_or(TakenBack{}).why.find("not well within"), std::string::npos);
}

TEST_F(LauncherTest, to_be_ready_is_not_to_be_well) {
  put_on_trial("echo ready >&3; exec sleep 1000\n");
  run(milliseconds(1000));
  ASSERT_TRUE(wait([&] { return starts().ends_with("package\n"); })) << log();
  EXPECT_TRUE(starts() == "a\npackage\n" || starts() == "package\n") << starts();
  EXPECT_NE(state().taken_back.value_or(TakenBack{}).why.find("not well within"), std::string::npos);
}

TEST_F(LauncherTest, takes_back_what_cannot_be_started) {
  put_on_trial("");
  fs::remove(program_of(slots_, Slot::a));
  run();
  ASSERT_TRUE(wait([&] { return starts() == "package\n"; })) << log();
  EXPECT_NE(state().taken_back.value_or(TakenBack{}).why.find("cannot be started"), std::string::npos);
}

// What systemd does: it starts the launcher again after each failure.
TEST_F(LauncherTest, takes_back_what_was_well_and_crashes_then) {
  put_on_trial("echo well >&3; kill -SEGV $$\n");
  for (int life = 1; life < 3; ++life) {
    run();
    EXPECT_EQ(wait_for_end(), 128 + SIGSEGV) << log();
    EXPECT_EQ(state().confirmed, Slot::a);
    EXPECT_EQ(state().probation.value_or(Probation{}).crashes, static_cast<unsigned>(life));
  }
  run();
  ASSERT_TRUE(wait([&] { return starts() == "a\na\na\npackage\n"; })) << starts() << log();
  EXPECT_EQ(state().next(), Slot::package);
  EXPECT_EQ(state().taken_back.value_or(TakenBack{}).set, "2-full-0123abcd");
  EXPECT_EQ(state().taken_back.value_or(TakenBack{}).why, "it was killed by signal 11; 3 crashes in its first 86400 s");
  EXPECT_NE(log().find("slot A (0.2.0) is taken back"), std::string::npos) << log();
  EXPECT_EQ(end(SIGTERM), 128 + SIGTERM);
  run();  // and stays so
  ASSERT_TRUE(wait([&] { return starts() == "a\na\na\npackage\npackage\n"; })) << starts() << log();
}

TEST_F(LauncherTest, what_was_well_for_long_is_only_started_again) {
  put(Slot::a, "exit 3\n");
  SlotState state;
  ASSERT_TRUE(begin_trial(state, Slot::a, "2-full-0123abcd", "0.2.0"));
  confirm(state, 1000);  // long ago
  state.probation->crashes = 2;
  write_state(state);
  for (int life = 0; life < 2; ++life) {
    run();
    EXPECT_EQ(wait_for_end(), 3) << log();
  }
  EXPECT_EQ(starts(), "a\na\n");
  EXPECT_FALSE(this->state().probation);
}

TEST_F(LauncherTest, ends_in_good_order_are_no_crashes) {
  put_on_trial("echo well >&3; exit $(cat \"$PICKET_SLOTS/status\")\n");
  for (const char* status : {"0", "2"})  // 2: its settings are wrong, and another release could not read them either
    for (int life = 0; life < 3; ++life) {
      ASSERT_TRUE(write_file_atomic(slots_ / "status", status));
      run();
      EXPECT_EQ(wait_for_end(), *status - '0') << log();
    }
  put(Slot::a, kGood);
  run();
  ASSERT_TRUE(wait([&] { return starts() == "a\na\na\na\na\na\na\n"; })) << starts();
  EXPECT_NE(end(SIGTERM), -1);
  EXPECT_EQ(state().probation.value_or(Probation{0, 9}).crashes, 0u);
}

TEST_F(LauncherTest, does_not_start_what_others_may_write) {
  put_on_trial(kGood);
  ::chmod(program_of(slots_, Slot::a).c_str(), 0777);
  run();
  ASSERT_TRUE(wait([&] { return starts() == "package\n"; })) << log();
}

TEST_F(LauncherTest, a_confirmed_slot_that_is_gone_falls_back_to_the_package) {
  SlotState state;
  ASSERT_TRUE(begin_trial(state, Slot::b, "2-full-0123abcd", "0.2.0"));
  confirm(state);
  write_state(state);
  run();
  ASSERT_TRUE(wait([&] { return starts() == "package\n"; })) << log();
}

TEST_F(LauncherTest, a_damaged_state_means_the_package) {
  put(Slot::a, kGood);
  SlotState state;
  ASSERT_TRUE(begin_trial(state, Slot::a, "2-full-0123abcd", "0.2.0"));
  confirm(state);
  auto text = to_text(state);
  text[20] = static_cast<char>(text[20] ^ 1);
  ASSERT_TRUE(write_file_atomic(slots_ / "state", text));
  run();
  ASSERT_TRUE(wait([&] { return starts() == "package\n"; })) << log();
  EXPECT_NE(log().find("damaged"), std::string::npos);
}

TEST_F(LauncherTest, attempts_are_counted_over_restarts_of_itself) {
  put_on_trial("echo up >> \"$PICKET_SLOTS/up\"; exec sleep 1000\n");
  for (int life = 1; life <= 3; ++life) {
    run();
    ASSERT_TRUE(wait([&] { return state().trial.value_or(Trial{}).attempts == static_cast<unsigned>(life) && !read_file(slots_ / "up", 100).value_or("").empty(); })) << log();
    fs::remove(slots_ / "up");
    EXPECT_EQ(end(SIGKILL), 128 + SIGKILL);
  }
  run();
  ASSERT_TRUE(wait([&] { return starts() == "a\na\na\npackage\n"; })) << starts() << log();
}

TEST_F(LauncherTest, speaks_with_the_service_manager_itself) {
  const auto path = (root_ / "notify").native();
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  const auto heard = [&]() -> std::string {
    pollfd fd{socket.get(), POLLIN, 0};
    std::array<char, 256> text{};
    if (::poll(&fd, 1, 20'000) != 1) return "nothing";
    const auto got = ::recv(socket.get(), text.data(), text.size(), 0);
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  };
  // picketd's STOPPING=1 during a hand-over would make systemd end the service: it has no socket of its own.
  script(package_, "[ -z \"$NOTIFY_SOCKET\" ] || exit 9\necho ready >&3; exec sleep 1000\n");
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  run();
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_EQ(heard(), "READY=1");
  EXPECT_EQ(end(SIGTERM), 128 + SIGTERM);
  EXPECT_EQ(heard(), "STOPPING=1");
}

TEST_F(LauncherTest, picketd_ends_with_a_launcher_that_is_killed) {
  script(package_, "echo $$ > \"$PICKET_SLOTS/pid\"; exec sleep 1000\n");
  run();
  ASSERT_TRUE(wait([&] { return !read_file(slots_ / "pid", 100).value_or("").empty(); }));
  const auto pid = std::atoi(read_file(slots_ / "pid", 100)->c_str());
  EXPECT_EQ(end(SIGKILL), 128 + SIGKILL);
  EXPECT_TRUE(wait([&] { return ::kill(pid, 0) != 0; }));
}

TEST_F(LauncherTest, what_is_on_trial_cannot_have_another_one_tried) {
  put(Slot::b, kGood);
  put_on_trial("echo 'try b 3-full-00000000 0.3.0' >&3; echo nonsense >&3; echo well >&3; exec sleep 1000\n");
  run();
  ASSERT_TRUE(wait([&] { return state().confirmed == Slot::a; })) << log();
  EXPECT_EQ(starts(), "a\n");
  EXPECT_NE(log().find("not understood: nonsense"), std::string::npos);
}

TEST_F(LauncherTest, one_that_was_confirmed_in_this_life_can_have_the_next_tried) {
  put(Slot::b, kGood);
  put_on_trial("echo well >&3; echo 'try b 3-full-00000000 0.3.0' >&3; exec sleep 1000\n");
  run();
  ASSERT_TRUE(wait([&] { return state().confirmed == Slot::b; })) << log();
  EXPECT_EQ(starts(), "a\nb\n");
  EXPECT_EQ(log().find("before it was well"), std::string::npos) << log();
}

TEST_F(LauncherTest, another_package_is_taken_at_the_next_start) {
  put(Slot::a, kGood);
  script(package_, "echo 'try a 2-full-0123abcd 0.2.0' >&3; exec sleep 1000\n");
  run();
  ASSERT_TRUE(wait([&] { return state().confirmed == Slot::a; })) << log();
  EXPECT_NE(end(SIGTERM), -1);
  script(package_, cat(kGood, "# another one\n"));
  run();
  ASSERT_TRUE(wait([&] { return starts() == "package\na\npackage\n"; })) << starts() << log();
}

}  // namespace
}  // namespace picket::launcher
