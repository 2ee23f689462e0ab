#include "runtime/spawn_linux.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace picket::runtime {
namespace {

enum class Step : int { descriptors, limits, user, privileges, folder, program, parent_gone };

const char* text_of(Step step) {
  switch (step) {
    case Step::descriptors: return "pass descriptors";
    case Step::limits: return "set limits";
    case Step::user: return "change user";
    case Step::privileges: return "give up new privileges";
    case Step::folder: return "enter its working folder";
    case Step::program: return "";
    case Step::parent_gone: return "parent ended";
  }
  return "";
}

struct Failure {
  Step step;
  int error;
};

// Everything the child needs, made before the fork: between fork and exec only async-signal-safe calls are allowed.
struct Plan {
  std::vector<char*> argv, environment;
  std::vector<std::pair<int, int>> fds;  // {source, target}, sorted by target; 0, 1 and 2 included
  int report = -1;
  pid_t parent = 0;
};

std::vector<char*> pointers_of(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void give_up(int report, Step step) {
  const Failure failure{step, errno};
  [[maybe_unused]] const auto written = ::write(report, &failure, sizeof failure);
  ::_exit(127);
}

void close_on_exec(unsigned first, unsigned last) {
  if (first > last || ::syscall(SYS_close_range, first, last, CLOSE_RANGE_CLOEXEC) == 0) return;
  struct rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto end = static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, 65536));
  for (auto fd = first; fd <= last && fd < end; ++fd) ::fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC);
}

void place_descriptors(Plan& plan) {
  const int above = plan.fds.back().second + 1;
  plan.report = ::fcntl(plan.report, F_DUPFD_CLOEXEC, above);
  // A source may have the number of another's target: all move out of the way first.
  for (auto& [source, target] : plan.fds)
    if ((source = ::fcntl(source, F_DUPFD_CLOEXEC, above)) < 0) give_up(plan.report, Step::descriptors);
  unsigned next = 0;
  for (const auto& [source, target] : plan.fds) {
    if (::dup2(source, target) < 0) give_up(plan.report, Step::descriptors);
    if (static_cast<unsigned>(target) > next) close_on_exec(next, static_cast<unsigned>(target) - 1);
    next = static_cast<unsigned>(target) + 1;
  }
  close_on_exec(next, ~0U);
}

[[noreturn]] void become_child(const ChildOptions& options, Plan& plan) {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setpgid(0, 0);  // a Ctrl-C at picketd's terminal is picketd's to handle
  place_descriptors(plan);
  for (const auto& [resource, value] : options.limits) {
    const struct rlimit limit{value, value};
    if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) give_up(plan.report, Step::limits);
  }
  if (options.user) {
    const auto [uid, gid] = *options.user;
    if (::setgroups(0, nullptr) != 0 || ::setresgid(gid, gid, gid) != 0 || ::setresuid(uid, uid, uid) != 0) give_up(plan.report, Step::user);
  }
  if (options.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(plan.report, Step::privileges);
  // After the change of user, which clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) give_up(plan.report, Step::parent_gone);
  if (::chdir(options.working_folder.c_str()) != 0) give_up(plan.report, Step::folder);
  ::execve(plan.argv.front(), plan.argv.data(), plan.environment.data());
  give_up(plan.report, Step::program);
}

Result<std::pair<UniqueFd, UniqueFd>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("make a pipe");
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

}  // namespace

Result<Spawned> spawn(const ChildOptions& options) {
  if (options.argv.empty()) return fail(Code::invalid, "no program to start");
  const auto doing = cat("start ", options.argv.front());
  PICKET_LET(output, make_pipe());
  PICKET_LET(error, make_pipe());
  PICKET_LET(report, make_pipe());
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing) return fail_errno("open /dev/null");

  Plan plan{pointers_of(options.argv), pointers_of(options.environment), {}, report.second.get(), ::getpid()};
  plan.fds = {{nothing.get(), 0}, {output.second.get(), 1}, {error.second.get(), 2}};
  plan.fds.insert(plan.fds.end(), options.fds.begin(), options.fds.end());
  std::sort(plan.fds.begin(), plan.fds.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  for (std::size_t i = 0; i < plan.fds.size(); ++i)
    if (plan.fds[i].first < 0 || plan.fds[i].second < 0 || (i > 0 && plan.fds[i].second == plan.fds[i - 1].second))
      return fail(Code::invalid, cat(doing, ": a descriptor's number is negative or given twice"));

  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno(doing);
  if (pid == 0) become_child(options, plan);
  report.second.reset();
  output.second.reset();
  error.second.reset();

  Failure failure{};
  ssize_t got = 0;
  do got = ::read(report.first.get(), &failure, sizeof failure);
  while (got < 0 && errno == EINTR);
  Spawned spawned{pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))), std::move(output.first), std::move(error.first)};
  const int pidfd_error = errno;
  if (got > 0 || !spawned.process) {
    if (got <= 0) ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (got <= 0) return fail_errno(cat(doing, ": watch it"), pidfd_error);
    const std::string_view step = text_of(failure.step);
    return fail_errno(step.empty() ? doing : cat(doing, ": ", step), failure.error);
  }
  for (const int fd : {spawned.output.get(), spawned.error.get()}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  return spawned;
}

}  // namespace picket::runtime
