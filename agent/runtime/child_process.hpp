// A program started by us, that never outlives us and never becomes a zombie.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace picket::runtime {

class IoLoop;

struct ExitStatus {
  int code = 0;    // when signal is 0
  int signal = 0;  // the signal that ended it
  [[nodiscard]] bool is_success() const { return code == 0 && signal == 0; }
  [[nodiscard]] std::string text() const;  // "exit status 3", "killed by signal 11 (Segmentation fault)"
};

struct ChildOptions {
  std::vector<std::string> argv;         // argv[0]: path of the program, not searched for
  std::vector<std::string> environment;  // all of it, "NAME=value"
  std::string working_folder = "/";
  std::vector<std::pair<int, int>> fds;  // {our descriptor, its number in the child (>= 3)}; no other descriptor is inherited
  std::string name;                      // for messages; empty: last part of argv[0]

  bool no_new_privileges = true;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> user;  // {uid, gid} to become; supplementary groups are dropped
  std::vector<std::pair<int, std::uint64_t>> limits;           // {RLIMIT_..., value}

  // All on the loop's thread. A line that is longer than 4096 bytes comes in parts.
  std::function<void(bool is_stderr, std::string_view line)> on_line;
  // Once, after the child's last line (or soon after its end, when a grandchild holds the pipe open).
  std::function<void(const ExitStatus&)> on_exit;
};

// stdin is /dev/null; stdout and stderr go line by line to on_line. The child gets SIGKILL when picketd dies.
class ChildProcess {
 public:
  // Any thread. Returns once the program runs, or says why it does not ("start /x/y: No such file or directory").
  // on_exit may run before start() has returned.
  [[nodiscard]] static Result<std::unique_ptr<ChildProcess>> start(IoLoop& loop, ChildOptions options);

  // Ends it with SIGKILL if it still runs and takes its exit status; no callback runs after the destructor has returned.
  // Any thread, also from within its own callbacks; the loop must still exist.
  virtual ~ChildProcess() = default;

  [[nodiscard]] virtual int pid() const = 0;
  [[nodiscard]] virtual bool is_running() const = 0;
  // SIGTERM now, SIGKILL when it has not ended after the limit. Any thread; returns at once, on_exit follows.
  virtual void terminate(std::chrono::milliseconds limit) = 0;
  virtual void kill() = 0;
  // Blocks until it has ended. false: it has not within the limit. Any thread but the loop's.
  [[nodiscard]] virtual bool wait(std::chrono::milliseconds limit) = 0;
};

}  // namespace picket::runtime
