#include "runtime/signals.hpp"

#include <csignal>

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/files.hpp"
#include "runtime/io_loop.hpp"

namespace picket::runtime {
namespace {

sigset_t set_of(const std::vector<int>& numbers) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : numbers) sigaddset(&set, number);
  return set;
}

class SignalDescriptor final : public Signals {
 public:
  SignalDescriptor(IoLoop& loop, UniqueFd fd, std::function<void(int)> callback) : loop_(loop), fd_(std::move(fd)), callback_(std::move(callback)) {
    loop_.run_and_wait([this] {
      watch_ = loop_.watch(fd_.get(), [this] { take(); }, nullptr);
      watch_->ask_readable();
    });
  }
  SignalDescriptor(const SignalDescriptor&) = delete;
  SignalDescriptor& operator=(const SignalDescriptor&) = delete;
  ~SignalDescriptor() override {
    if (!loop_.run_and_wait([this] { watch_.reset(); })) watch_.reset();
  }

 private:
  void take() {
    signalfd_siginfo info{};
    while (::read(fd_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) callback_(static_cast<int>(info.ssi_signo));
    if (watch_) watch_->ask_readable();
  }

  IoLoop& loop_;
  UniqueFd fd_;
  std::function<void(int)> callback_;
  std::unique_ptr<IoLoop::Watch> watch_;
};

}  // namespace

void block_signals(const std::vector<int>& numbers) {
  const auto set = set_of(numbers);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

Result<std::unique_ptr<Signals>> Signals::make(IoLoop& loop, const std::vector<int>& numbers, std::function<void(int)> callback) {
  const auto set = set_of(numbers);
  UniqueFd fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd) return fail_errno("receive signals");
  return std::make_unique<SignalDescriptor>(loop, std::move(fd), std::move(callback));
}

}  // namespace picket::runtime
