#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <mutex>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/child_process.hpp"
#include "runtime/io_loop.hpp"
#include "runtime/spawn_linux.hpp"

namespace picket::runtime {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kLongestLine = 4096;
constexpr int kReadsAtOnce = 16;               // then others have their turn on the loop
constexpr milliseconds kLastLines{200};        // a grandchild may hold the pipes open after the child's end
constexpr int kKillPatienceMs = 100;

// Cuts what one pipe brings into lines.
class Lines {
 public:
  template <class Emit>
  void add(std::string_view bytes, const Emit& emit) {
    for (const char c : bytes) {
      if (c == '\n') {
        emit(line_);
        line_.clear();
      } else {
        line_.push_back(c);
        if (line_.size() == kLongestLine) {
          emit(line_);
          line_.clear();
        }
      }
    }
  }
  template <class Emit>
  void finish(const Emit& emit) {
    if (!line_.empty()) emit(line_);
    line_.clear();
  }

 private:
  std::string line_;
};

// All on the loop's thread but what says otherwise. The loop's callbacks share it with the ChildProcess.
class Running : public std::enable_shared_from_this<Running> {
 public:
  Running(IoLoop& loop, ChildOptions options, Spawned spawned) : loop_(loop), options_(std::move(options)), pid_(spawned.pid), process_(std::move(spawned.process)) {
    pipes_[0].fd = std::move(spawned.output);
    pipes_[1].fd = std::move(spawned.error);
  }

  void watch() {
    const auto self = weak_from_this();
    for (std::size_t i = 0; i < pipes_.size(); ++i) {
      pipes_[i].watch = loop_.watch(pipes_[i].fd.get(), [self, i] { if (const auto s = self.lock()) s->read(i); }, nullptr);
      pipes_[i].watch->ask_readable();
    }
    end_watch_ = loop_.watch(process_.get(), [self] { if (const auto s = self.lock()) s->take_end(); }, nullptr);
    end_watch_->ask_readable();
  }

  [[nodiscard]] int pid() const { return pid_; }  // any thread
  [[nodiscard]] bool has_ended() const {           // any thread
    const std::scoped_lock lock(mutex_);
    return has_ended_;
  }
  [[nodiscard]] bool wait(milliseconds limit) {  // any thread
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [&] { return has_ended_; });
  }
  void signal(int number) {  // any thread: through the pidfd, so never to another process that got the same number
    ::syscall(SYS_pidfd_send_signal, process_.get(), number, nullptr, 0);
  }
  void kill_after(milliseconds limit) {
    if (has_ended()) return;
    signal(SIGTERM);
    kill_delay_ = loop_.after(limit, [self = weak_from_this()] { if (const auto s = self.lock()) s->signal(SIGKILL); });
  }

  // The owner goes. A process that does not die at once (it sits in the kernel) is left to the loop to be reaped.
  void abandon() {
    abandoned_ = true;
    for (auto& pipe : pipes_) pipe.watch.reset();
    last_lines_.reset();
    kill_delay_.reset();
    if (has_ended()) return;
    signal(SIGKILL);
    struct pollfd end{process_.get(), POLLIN, 0};
    if (::poll(&end, 1, kKillPatienceMs) == 1) take_end();
    if (has_ended()) return;
    end_watch_.reset();
    // Not by a pointer to itself, which would hold it for ever where the loop ends before the process does, as it may with picketd.
    loop_.when_readable(std::move(process_), [](int process) {
      siginfo_t ignored{};
      ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process), &ignored, WEXITED | WNOHANG);
    });
  }

 private:
  struct Pipe {
    UniqueFd fd;
    std::unique_ptr<IoLoop::Watch> watch;
    Lines lines;
  };

  void emit(std::size_t which, std::string_view line) {
    if (!abandoned_ && options_.on_line) options_.on_line(which == 1, line);
  }

  void read(std::size_t which) {
    const auto keep = shared_from_this();  // a callback may destroy the owner
    auto& pipe = pipes_[which];
    std::array<char, 4096> buffer;
    for (int i = 0; i < kReadsAtOnce && !abandoned_; ++i) {
      const auto got = ::read(pipe.fd.get(), buffer.data(), buffer.size());
      if (got > 0) {
        pipe.lines.add({buffer.data(), static_cast<std::size_t>(got)}, [&](std::string_view line) { emit(which, line); });
        continue;
      }
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) break;
      pipe.watch.reset();
      pipe.lines.finish([&](std::string_view line) { emit(which, line); });
      report_end();
      return;
    }
    if (!abandoned_) pipe.watch->ask_readable();
  }

  void take_end() {
    siginfo_t info{};
    if (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process_.get()), &info, WEXITED | WNOHANG) != 0 || info.si_pid == 0) {
      if (errno == EINTR || info.si_pid == 0) end_watch_->ask_readable();
      return;
    }
    status_ = info.si_code == CLD_EXITED ? ExitStatus{info.si_status, 0} : ExitStatus{0, info.si_status};
    end_watch_.reset();
    kill_delay_.reset();
    {
      const std::scoped_lock lock(mutex_);
      has_ended_ = true;
    }
    changed_.notify_all();
    if (abandoned_) return;
    last_lines_ = loop_.after(kLastLines, [self = weak_from_this()] {
      if (const auto s = self.lock()) {
        for (auto& pipe : s->pipes_) pipe.watch.reset();
        s->report_end();
      }
    });
    report_end();
  }

  void report_end() {
    if (abandoned_ || reported_ || !has_ended() || pipes_[0].watch || pipes_[1].watch) return;
    reported_ = true;
    last_lines_.reset();
    for (std::size_t i = 0; i < pipes_.size(); ++i) pipes_[i].lines.finish([&](std::string_view line) { emit(i, line); });
    if (!abandoned_ && options_.on_exit) options_.on_exit(status_);
  }

  IoLoop& loop_;
  const ChildOptions options_;
  const int pid_;
  UniqueFd process_;  // the loop's alone once the owner has gone
  std::array<Pipe, 2> pipes_;
  std::unique_ptr<IoLoop::Watch> end_watch_;
  std::unique_ptr<IoLoop::Delay> kill_delay_, last_lines_;
  ExitStatus status_;
  bool abandoned_ = false, reported_ = false;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool has_ended_ = false;
};

class LinuxChild final : public ChildProcess {
 public:
  LinuxChild(IoLoop& loop, std::shared_ptr<Running> running) : loop_(loop), running_(std::move(running)) {}
  LinuxChild(const LinuxChild&) = delete;
  LinuxChild& operator=(const LinuxChild&) = delete;
  ~LinuxChild() override {
    if (!loop_.run_and_wait([this] { running_->abandon(); })) running_->abandon();
  }
  [[nodiscard]] int pid() const override { return running_->pid(); }
  [[nodiscard]] bool is_running() const override { return !running_->has_ended(); }
  void terminate(milliseconds limit) override {
    loop_.post([running = running_, limit] { running->kill_after(limit); });
  }
  void kill() override { running_->signal(SIGKILL); }
  [[nodiscard]] bool wait(milliseconds limit) override { return running_->wait(limit); }

 private:
  IoLoop& loop_;
  std::shared_ptr<Running> running_;
};

}  // namespace

std::string ExitStatus::text() const {
  if (signal == 0) return cat("exit status ", std::to_string(code));
  const char* name = ::sigdescr_np(signal);
  return cat("killed by signal ", std::to_string(signal), name == nullptr ? "" : cat(" (", name, ")"));
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(IoLoop& loop, ChildOptions options) {
  Result<std::unique_ptr<ChildProcess>> result = fail(Code::unavailable, "the I/O loop has stopped");
  loop.run_and_wait([&] {
    auto spawned = spawn(options);
    if (!spawned) {
      result = fail(std::move(spawned).error());
      return;
    }
    auto running = std::make_shared<Running>(loop, std::move(options), std::move(*spawned));
    running->watch();
    result = std::make_unique<LinuxChild>(loop, std::move(running));
  });
  return result;
}

}  // namespace picket::runtime
