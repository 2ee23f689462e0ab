#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.hpp"
#include "check/case.hpp"

namespace picket::check {

namespace {

constexpr std::size_t max_verdict_bytes = 32768;

[[noreturn]] void be_child(const std::function<Verdict()>& run, int verdict_fd) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  // One line per case: what the plugin prints is not part of it.
  if (const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC); null >= 0)
    for (const int fd : {0, 1, 2}) ::dup2(null, fd);
  const Verdict verdict = run();
  std::string line(1, static_cast<char>(verdict.outcome));
  line += verdict.text.substr(0, max_verdict_bytes - 2);
  line += '\n';
  (void)write_all(verdict_fd, line);
  // No destructors: what the plugin registered for the end of a process must not run in ours.
  ::_exit(0);
}

// Until the verdict's newline, the end of the child, or the deadline.
bool read_verdict(int fd, std::chrono::steady_clock::time_point until, std::string& into) {
  while (into.size() < max_verdict_bytes && into.find('\n') == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd wait{fd, POLLIN, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    char buffer[4096];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got <= 0) return true;
    into.append(buffer, static_cast<std::size_t>(got));
  }
  return true;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    if (number == SIGALRM) return "a call did not return in time";  // of who armed an alarm before each
    return cat("the plugin ended its process: signal ", std::to_string(number), " (", ::strsignal(number), ")");
  }
  return cat("the plugin ended its process with status ", std::to_string(WEXITSTATUS(status)));
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::pass: return "pass";
    case Outcome::fail: return "FAIL";
    case Outcome::warning: return "warning";
    case Outcome::skipped: return "skipped";
  }
  return "?";
}

Verdict run_in_child(const std::function<Verdict()>& run, std::chrono::milliseconds limit) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed(cat("cannot make a pipe: ", std::strerror(errno)));
  UniqueFd from(ends[0]), to(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return failed(cat("cannot start a child: ", std::strerror(errno)));
  if (child == 0) be_child(run, to.get());
  ::setpgid(child, child);
  to.reset();

  std::string line;
  const bool in_time = read_verdict(from.get(), std::chrono::steady_clock::now() + limit, line);
  const bool whole = !line.empty() && line.back() == '\n';
  // A child that has said its verdict, or will never: it and all that it started.
  if (whole || !in_time) ::kill(-child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::kill(-child, SIGKILL);
  if (whole) return {static_cast<Outcome>(line.front()), line.substr(1, line.size() - 2)};
  if (!in_time) return failed(cat("did not end within ", std::to_string(limit.count()), " ms"));
  return failed(how_it_ended(status));
}

}  // namespace picket::check
