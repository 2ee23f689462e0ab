// The process: signals and exit code.
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/files.hpp"
#include "ctl/app.hpp"

// In the environment of one that another one handed over to.
constexpr const char* kForwarded = "PICKETCTL_FORWARDED";

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (std::getenv(kForwarded) == nullptr) {
    if (const auto newer = picket::ctl::newer_picketctl(arguments); !newer.empty()) {
      ::setenv(kForwarded, "1", 1);
      ::execv(newer.c_str(), argv);  // comes back only when it cannot be started: then this one does it
    }
  }
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const picket::UniqueFd signal_fd(::signalfd(-1, &signals, SFD_CLOEXEC)), done_fd(::eventfd(0, EFD_CLOEXEC));

  // The first Ctrl-C asks politely: the request is cancelled at the other side too. The second does not wait for that.
  picket::core::CancelSource cancel;
  std::thread watcher([&] {
    for (bool asked = false;;) {
      pollfd both[] = {{signal_fd.get(), POLLIN, 0}, {done_fd.get(), POLLIN, 0}};
      if (::poll(both, 2, -1) < 0) continue;
      if (both[1].revents != 0) return;
      signalfd_siginfo info{};
      if (::read(signal_fd.get(), &info, sizeof info) != sizeof info) continue;
      if (asked) ::_exit(130);
      asked = true;
      cancel.cancel();
    }
  });

  picket::ctl::Terminal terminal(STDOUT_FILENO, STDERR_FILENO);
  const int code = picket::ctl::run(arguments, terminal, cancel.token(), std::time(nullptr));
  const std::uint64_t one = 1;
  if (::write(done_fd.get(), &one, sizeof one) != sizeof one) ::_exit(code);
  watcher.join();
  return code;
}
