#include "child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/files.hpp"

namespace ksn_client {
namespace {

using picket::cat;
using picket::Code;
using picket::fail;
using picket::Result;
using picket::UniqueFd;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostError = 4096;

struct Actions {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
  Actions() {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawnattr_init(&attributes);
  }
  ~Actions() {
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&files);
  }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;
};

// Ended with all that it started, unless it was waited for.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  // False: it still runs.
  bool has_ended(int& status) {
    int raw = 0;
    const pid_t got = ::waitpid(pid_, &raw, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR)) return false;
    pid_ = -1;
    status = got < 0 ? -1 : WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    return true;
  }

 private:
  pid_t pid_;
};

Result<pid_t> spawn(const std::vector<std::string>& argv, int output, int error) {
  Actions actions;
  ::posix_spawn_file_actions_addopen(&actions.files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions.files, output, 1);
  ::posix_spawn_file_actions_adddup2(&actions.files, error, 2);
  ::posix_spawn_file_actions_addclosefrom_np(&actions.files, 3);
  ::posix_spawn_file_actions_addchdir_np(&actions.files, "/");
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&actions.attributes, &none);
  ::posix_spawnattr_setsigdefault(&actions.attributes, &all);
  ::posix_spawnattr_setpgroup(&actions.attributes, 0);
  ::posix_spawnattr_setflags(&actions.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> arguments;
  for (const auto& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  // One language, and no settings of a user's.
  std::array<std::string, 3> settings{"LC_ALL=C", "PATH=/usr/bin:/bin", "HOME=/nonexistent"};
  char* environment[] = {settings[0].data(), settings[1].data(), settings[2].data(), nullptr};
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, arguments.front(), &actions.files, &actions.attributes, arguments.data(), environment);
  if (failed != 0) return picket::fail_errno(cat("start ", argv.front()), failed);
  return pid;
}

}  // namespace

Result<ChildSaid> run_child(const std::vector<std::string>& argv, const ChildBounds& bounds) {
  if (argv.empty() || !argv.front().starts_with('/')) return fail(Code::invalid, "a program is started by its absolute path");
  int ends[4];
  if (::pipe2(ends, O_CLOEXEC) != 0) return picket::fail_errno("pipe");
  const UniqueFd output(ends[0]);
  UniqueFd output_end(ends[1]);
  if (::pipe2(ends + 2, O_CLOEXEC) != 0) return picket::fail_errno("pipe");
  const UniqueFd error(ends[2]);
  UniqueFd error_end(ends[3]);
  PICKET_LET(pid, spawn(argv, output_end.get(), error_end.get()));
  Child child(pid);
  output_end.reset();
  error_end.reset();

  ChildSaid said;
  const auto until = Clock::now() + bounds.time;
  const auto late = [&] { return fail(Code::timeout, cat(argv.front(), " did not end within ", std::to_string(bounds.time.count()), " ms")); };
  std::array<pollfd, 2> waits{pollfd{output.get(), POLLIN, 0}, pollfd{error.get(), POLLIN, 0}};
  while (waits[0].fd >= 0 || waits[1].fd >= 0) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return late();
    if (::poll(waits.data(), waits.size(), static_cast<int>(left)) < 0 && errno != EINTR) return picket::fail_errno("poll");
    for (auto& wait : waits) {
      if (wait.fd < 0 || std::exchange(wait.revents, static_cast<short>(0)) == 0) continue;
      char block[16384];
      const auto got = ::read(wait.fd, block, sizeof block);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        wait.fd = -1;
        continue;
      }
      const bool is_error = &wait == &waits[1];
      auto& into = is_error ? said.error : said.output;
      into.append(block, static_cast<std::size_t>(got));
      if (is_error && into.size() > kMostError) into.resize(kMostError);
      if (!is_error && into.size() > bounds.output) return fail(Code::too_large, cat(argv.front(), " said more than ", std::to_string(bounds.output), " bytes"));
    }
  }
  while (!child.has_ended(said.status)) {
    if (Clock::now() >= until) return late();
    ::poll(nullptr, 0, 2);  // it has closed what it says: it is about to end
  }
  return said;
}

}  // namespace ksn_client
