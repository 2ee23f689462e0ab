#include "runtime/child_process.hpp"

#include <csignal>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.hpp"
#include "runtime/io_loop.hpp"

namespace picket::runtime {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

// Starts "/bin/sh -c script" and keeps what it says.
class Shell {
 public:
  explicit Shell(const std::string& script) {
    options.argv = {"/bin/sh", "-c", script};
    options.environment = {"PATH=/usr/bin:/bin"};
    options.on_line = [this](bool is_stderr, std::string_view line) {
      const std::scoped_lock lock(mutex_);
      (is_stderr ? errors_ : lines_).emplace_back(line);
      first_line_.notify_all();
    };
    options.on_exit = [this](const ExitStatus& status) { exit_.set_value(status); };
  }
  [[nodiscard]] bool start() {
    auto started = ChildProcess::start(*loop, options);
    if (!started) {
      ADD_FAILURE() << started.error().message;
      return false;
    }
    child = std::move(*started);
    return true;
  }
  [[nodiscard]] ExitStatus wait() {
    auto future = exit_.get_future();
    if (future.wait_for(30s) != std::future_status::ready) return {-1, -1};
    return future.get();
  }
  [[nodiscard]] bool wait_for_line() {
    std::unique_lock lock(mutex_);
    return first_line_.wait_for(lock, 30s, [&] { return !lines_.empty(); });
  }
  [[nodiscard]] std::vector<std::string> lines() {
    const std::scoped_lock lock(mutex_);
    return lines_;
  }
  [[nodiscard]] std::vector<std::string> errors() {
    const std::scoped_lock lock(mutex_);
    return errors_;
  }

  ChildOptions options;

 private:
  std::mutex mutex_;
  std::condition_variable first_line_;
  std::vector<std::string> lines_, errors_;
  std::promise<ExitStatus> exit_;

 public:
  std::unique_ptr<IoLoop> loop = IoLoop::make("test-loop");
  std::unique_ptr<ChildProcess> child;
};

TEST(ChildProcess, gives_lines_of_both_outputs_and_then_the_exit_status) {
  Shell shell("echo one; echo bad >&2; printf 'last without end'; exit 3");
  ASSERT_TRUE(shell.start());
  const auto status = shell.wait();
  EXPECT_EQ(status.code, 3);
  EXPECT_EQ(status.signal, 0);
  EXPECT_EQ(status.text(), "exit status 3");
  EXPECT_FALSE(status.is_success());
  EXPECT_THAT(shell.lines(), ElementsAre("one", "last without end"));
  EXPECT_THAT(shell.errors(), ElementsAre("bad"));
  EXPECT_FALSE(shell.child->is_running());
}

TEST(ChildProcess, names_the_signal_that_ended_it) {
  Shell shell("kill -SEGV $$");
  ASSERT_TRUE(shell.start());
  const auto status = shell.wait();
  EXPECT_EQ(status.signal, SIGSEGV);
  EXPECT_EQ(status.text(), "killed by signal 11 (Segmentation fault)");
}

TEST(ChildProcess, says_why_a_program_cannot_be_started) {
  Shell shell("");
  shell.options.argv = {"/nowhere/program"};
  auto missing = ChildProcess::start(*shell.loop, shell.options);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
  EXPECT_EQ(missing.error().message, "start /nowhere/program: No such file or directory");
  shell.options.argv = {"/bin/sh"};
  shell.options.working_folder = "/nowhere";
  missing = ChildProcess::start(*shell.loop, shell.options);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("working folder"));
  shell.options.fds = {{0, 1}};
  EXPECT_FALSE(ChildProcess::start(*shell.loop, shell.options));
}

TEST(ChildProcess, passes_the_given_descriptors_and_no_other) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);  // inheritable, on purpose
  const UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  Shell shell("echo through >&7; ls /proc/self/fd | tr '\\n' ' '");
  // 7 and 5 crosswise: each source may be the other's target.
  const UniqueFd at_five(::fcntl(out.get(), F_DUPFD, 5));
  shell.options.fds = {{at_five.get(), 7}, {in.get(), at_five.get()}};
  ASSERT_TRUE(shell.start());
  EXPECT_TRUE(shell.wait().is_success());
  char buffer[16] = {};
  EXPECT_EQ(::read(in.get(), buffer, sizeof buffer), 8);
  EXPECT_STREQ(buffer, "through\n");
  ASSERT_EQ(shell.lines().size(), 1U);
  // 0, 1, 2, the two given ones, and the folder that ls itself has open.
  EXPECT_EQ(shell.lines()[0], cat("0 1 2 3 ", std::to_string(at_five.get()), " 7 "));
}

TEST(ChildProcess, terminate_kills_what_does_not_listen) {
  Shell shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
  ASSERT_TRUE(shell.start());
  ASSERT_TRUE(shell.wait_for_line());
  EXPECT_TRUE(shell.child->is_running());
  shell.child->terminate(50ms);
  EXPECT_EQ(shell.wait().signal, SIGKILL);
}

TEST(ChildProcess, terminate_lets_a_child_end_by_itself) {
  Shell shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.02; done");
  ASSERT_TRUE(shell.start());
  ASSERT_TRUE(shell.wait_for_line());
  shell.child->terminate(30s);
  EXPECT_EQ(shell.wait().code, 7);
  EXPECT_THAT(shell.lines(), ElementsAre("ready", "bye"));
}

TEST(ChildProcess, is_killed_and_reaped_by_its_destructor_without_a_callback) {
  Shell shell("echo ready; sleep 600");
  ASSERT_TRUE(shell.start());
  ASSERT_TRUE(shell.wait_for_line());
  shell.options.on_exit = nullptr;
  const int pid = shell.child->pid();
  shell.child.reset();
  // Reaped: it is not our child any more.
  EXPECT_EQ(::waitpid(pid, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

// Stops it on its way out when it is killed, as one does that sits in the kernel. False: nothing may be traced here.
[[nodiscard]] bool make_slow_to_die(int pid) { return ::ptrace(PTRACE_SEIZE, pid, nullptr, static_cast<long>(PTRACE_O_TRACEEXIT)) == 0; }
void let_die(int pid) {
  int status = 0;
  if (::waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) ::ptrace(PTRACE_CONT, pid, nullptr, nullptr);
}

TEST(ChildProcess, leaves_nothing_in_memory_when_the_loop_ends_before_a_child_that_is_slow_to_die) {
  Shell shell("echo ready; exec sleep 600");
  const auto kept = std::make_shared<int>();
  shell.options.on_exit = [kept](const ExitStatus&) { FAIL(); };
  ASSERT_TRUE(shell.start());
  shell.options.on_exit = nullptr;
  ASSERT_TRUE(shell.wait_for_line());
  const int pid = shell.child->pid();
  if (!make_slow_to_die(pid)) GTEST_SKIP() << "tracing is not allowed here";
  shell.child.reset();
  shell.loop.reset();
  EXPECT_EQ(kept.use_count(), 1);
  let_die(pid);
  ::waitpid(pid, nullptr, 0);
}

TEST(ChildProcess, one_that_is_slow_to_die_is_reaped_by_the_loop_once_it_has) {
  Shell shell("echo ready; exec sleep 600");
  ASSERT_TRUE(shell.start());
  ASSERT_TRUE(shell.wait_for_line());
  const int pid = shell.child->pid();
  if (!make_slow_to_die(pid)) GTEST_SKIP() << "tracing is not allowed here";
  shell.child.reset();
  let_die(pid);
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0) std::this_thread::yield();
  EXPECT_EQ(errno, ECHILD);  // not our child any more
}

TEST(ChildProcess, does_not_wait_for_grandchildren_that_hold_the_pipes) {
  Shell shell("sleep 100 & echo started");
  ASSERT_TRUE(shell.start());
  EXPECT_TRUE(shell.wait().is_success());  // which waits for 30 s
  EXPECT_THAT(shell.lines(), ElementsAre("started"));
}

TEST(ChildProcess, may_be_destroyed_from_its_own_callback) {
  Shell shell("echo a; sleep 600");
  std::promise<void> gone;
  std::promise<void> assigned;
  auto ready = assigned.get_future().share();
  shell.options.on_line = [&](bool, std::string_view) {
    ready.wait();
    shell.child.reset();
    gone.set_value();
  };
  ASSERT_TRUE(shell.start());
  assigned.set_value();
  EXPECT_EQ(gone.get_future().wait_for(30s), std::future_status::ready);
}

TEST(ChildProcess, cuts_endless_lines_and_survives_a_flood) {
  Shell shell("head -c 20000 /dev/zero | tr '\\0' x; echo; seq 1 20000");
  ASSERT_TRUE(shell.start());
  EXPECT_TRUE(shell.wait().is_success());
  const auto lines = shell.lines();
  ASSERT_GT(lines.size(), 20000U);
  EXPECT_EQ(lines[0].size(), 4096U);
  EXPECT_EQ(lines.back(), "20000");
}

TEST(ChildProcess, gets_its_limits_and_no_new_privileges) {
  Shell shell("ulimit -n; grep NoNewPrivs /proc/self/status; pwd");
  shell.options.limits = {{RLIMIT_NOFILE, 33}};
  ASSERT_TRUE(shell.start());
  EXPECT_TRUE(shell.wait().is_success());
  EXPECT_THAT(shell.lines(), ElementsAre("33", "NoNewPrivs:\t1", "/"));
}

}  // namespace
}  // namespace picket::runtime
