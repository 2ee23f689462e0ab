// The process: settings, signals, the agent's life.
#include <csignal>
#include <cstdio>
#include <string>

#include <unistd.h>

#include "app/agent.hpp"
#include "app/config.hpp"
#include "launcher/notify.hpp"
#include "runtime/journal.hpp"
#include "runtime/log_text.hpp"
#include "runtime/memory.hpp"

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

// Blocked before any thread is made, so that all inherit it and only sigwait below sees them.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return set;
}

}  // namespace

int main(int argc, char** argv) {
  auto command_line = picket::app::read_config(argc, argv);
  if (!command_line) {
    std::fprintf(stderr, "%spicketd: %s; see picketd --help\n", picket::runtime::error_prefix(), picket::runtime::printable(command_line.error().message).c_str());
    return kUsage;
  }
  if (!command_line->text.empty()) {
    std::fputs(command_line->text.c_str(), stdout);
    return 0;
  }

  const sigset_t signals = block_signals();
  auto agent = picket::app::Agent::start(command_line->config);
  if (!agent) {
    std::fprintf(stderr, "%spicketd: %s\n", picket::runtime::error_prefix(), picket::runtime::printable(agent.error().message).c_str());
    return kFailed;
  }
  picket::launcher::notify_service_manager("READY=1");
  picket::runtime::return_memory();
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) break;
    (*agent)->reload();
  }
  picket::launcher::notify_service_manager("STOPPING=1");
  (*agent)->stop();
  return 0;
}
