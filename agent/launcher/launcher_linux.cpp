#include "launcher/launcher.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.hpp"
#include "launcher/link.hpp"
#include "launcher/notify.hpp"
#include "launcher/slot_state.hpp"

namespace picket::launcher {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kRest{500};  // between two attempts
constexpr int kPipeInChild = 3;

std::string ending_of(int status) {
  if (WIFSIGNALED(status)) return cat("was killed by signal ", std::to_string(WTERMSIG(status)));
  return cat("ended with status ", std::to_string(WEXITSTATUS(status)));
}
int code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

// It broke: a signal, or a status that is neither an end in good order nor a mistake in its settings (2), which no other release would mend.
bool is_crash(int status) { return WIFSIGNALED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 2); }

// Changes when another one is installed.
std::string identity_of(const std::string& program) {
  struct stat info {};
  if (::stat(program.c_str(), &info) != 0) return "none";
  return cat(std::to_string(info.st_size), "-", std::to_string(info.st_mtim.tv_sec), ".", std::to_string(info.st_mtim.tv_nsec));
}

// Root's or ours, and nobody else may have written it.
Result<> check_program(const std::string& program) {
  const UniqueFd fd(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return fail_errno(cat("open ", program));
  if (!S_ISREG(info.st_mode) || (info.st_mode & 0111) == 0) return fail(Code::invalid, cat(program, " is no program"));
  if ((info.st_uid != 0 && info.st_uid != ::geteuid()) || (info.st_mode & 022) != 0) return fail(Code::denied, cat(program, ": others may write to it"));
  return {};
}

class Launcher {
 public:
  explicit Launcher(const Options& options) : options_(options), package_(options.package.front()) {}

  int run() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, &mask_before_);
    std::signal(SIGPIPE, SIG_IGN);
    signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) return complain("signalfd");
    if (auto made = make_folders(options_.slots, 0700); !made) log(made.error().message);
    remove_leftovers(options_.slots);  // picketd writes in the slots, only we beside them
    read_state();
    while (is_going_) one_life();
    return code_;
  }

 private:
  enum class After { go_on, leave };

  void log(std::string_view line) const {
    if (options_.log) options_.log(line);
  }
  int complain(std::string_view what) const {
    const auto why = fail_errno(what);
    log(why.value().message);
    return 1;
  }
  void step(std::string_view name) const {
    if (options_.at_step) options_.at_step(name);
  }
  void leave(int code) {
    code_ = code;
    is_going_ = false;
  }

  void read_state() {
    auto read = read_slots(options_.slots);
    if (read) state_ = std::move(*read);
    else log(cat(read.error().message, ": ", shown(Slot::package), " is started"));
  }
  // A disk that cannot be written must not stop the agent; what could not be noted is found out again.
  void save() {
    step("launcher.state");
    if (auto written = write_file_atomic(options_.slots / "state", to_text(state_), 0644); !written) log(written.error().message);
  }

  void take_back_trial(std::string_view why) {
    log(cat(shown(state_.trial->slot), " (", state_.of(state_.trial->slot).version, ") is taken back: ", why, "; ", shown(state_.confirmed), " is started"));
    take_back(state_, why, ::time(nullptr));
    save();
  }

  // From the choice of a slot to the end of what was started.
  void one_life() {
    if (see_package(state_, identity_of(package_))) {
      log("another picketd was installed: it counts from here on");
      save();
    }
    const auto slot = state_.next();
    const bool is_trial = state_.trial.has_value();
    const auto program = slot == Slot::package ? package_ : program_of(options_.slots, slot).native();
    if (is_trial) {
      if (!count_attempt(state_, options_.attempts)) return take_back_trial(last_end_.empty() ? "it did not stay up" : last_end_);
      save();
    }
    if (auto good = check_program(program); !good) {
      if (is_trial) return take_back_trial(cat("cannot be started: ", good.error().message));
      if (slot == Slot::package) return log(cat("cannot be started: ", good.error().message)), leave(1);
      log(cat(shown(slot), " cannot be started: ", good.error().message));
      fall_back(state_, cat("cannot be started: ", good.error().message), ::time(nullptr));
      return save();
    }
    step("launcher.start");
    if (!start(program, slot)) return leave(1);
    log(cat("picketd of ", shown(slot), is_trial ? cat(" (", state_.of(slot).version, ", on trial, attempt ", std::to_string(state_.trial->attempts), ")") : "", " is started, process ", std::to_string(child_)));
    const auto until = Clock::now() + options_.prove_within;
    const int status = watch(is_trial ? until : Clock::time_point::max());
    pipe_.reset();
    after(status, is_trial);
  }

  void after(int status, bool was_trial) {
    if (is_stopping_) return leave(code_of(status));
    if (std::exchange(is_handing_over_, false)) return;  // another slot's turn
    if (was_trial && state_.trial && why_killed_.empty()) {
      last_end_ = cat("it ", ending_of(status), " before it was well");
      log(cat(shown(state_.trial->slot), " ", ending_of(status), " before it was well"));
      if (state_.trial->attempts >= options_.attempts) return take_back_trial(cat(last_end_, ", ", std::to_string(state_.trial->attempts), " times"));
      rest();
      return;
    }
    if (was_trial && state_.trial) return take_back_trial(std::exchange(why_killed_, {}));
    log(cat("picketd ", ending_of(status)));
    if (is_crash(status) && state_.probation && take_back_if_it_crashes(ending_of(status))) return;
    leave(code_of(status));
  }

  // Kept on the disk: whoever starts us again after each crash goes on counting.
  bool take_back_if_it_crashes(std::string_view how) {
    const std::int64_t now = ::time(nullptr);
    state_.probation->until = std::min<std::int64_t>(state_.probation->until, now + options_.probation.count());  // a clock that went back
    const bool is_loop = count_crash(state_, options_.crashes, now);
    if (is_loop) {
      const auto why = cat("it ", how, "; ", std::to_string(options_.crashes), " crashes in its first ", std::to_string(options_.probation.count()), " s");
      const auto bad = cat(shown(state_.confirmed), " (", state_.of(state_.confirmed).version, ")");
      fall_back(state_, why, now);
      log(cat(bad, " is taken back: ", why, "; ", shown(state_.confirmed), " is started"));
    } else if (state_.probation) {
      log(cat("crash ", std::to_string(state_.probation->crashes), " of ", shown(state_.confirmed), " on probation: the one before comes back at the ", std::to_string(options_.crashes), "."));
    }
    save();
    return is_loop;
  }

  bool start(const std::string& program, Slot slot) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return complain("pipe") == 0;
    pipe_ = UniqueFd(ends[0]);
    const UniqueFd far(ends[1]);
    ::fcntl(pipe_.get(), F_SETFL, O_NONBLOCK);
    said_.clear();
    // All that is made from memory is made before the fork.
    auto arguments = options_.package;
    arguments.front() = program;
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::vector<std::string> environment = {cat(kPipeVariable, "=", std::to_string(kPipeInChild)), cat(kFolderVariable, "=", options_.slots.native()),
                                            cat(kSlotVariable, "=", to_string(slot)), cat(kSettleVariable, "=", std::to_string(options_.settle.count()))};
    for (char** variable = environ; *variable != nullptr; ++variable)
      if (!std::string_view(*variable).starts_with("NOTIFY_SOCKET=") && !std::string_view(*variable).starts_with("PICKET_")) environment.emplace_back(*variable);
    std::vector<char*> envp;
    for (auto& variable : environment) envp.push_back(variable.data());
    envp.push_back(nullptr);
    const auto parent = ::getpid();
    child_ = ::fork();
    if (child_ < 0) return complain("fork") == 0;
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // nobody would watch it any more
      if (::getppid() != parent) ::_exit(1);
      sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
      std::signal(SIGPIPE, SIG_DFL);
      if (far.get() == kPipeInChild) ::fcntl(far.get(), F_SETFD, 0);
      else ::dup2(far.get(), kPipeInChild);
      ::execve(argv.front(), argv.data(), envp.data());
      ::_exit(126);
    }
    return true;
  }

  // Until the child has ended; its wait status. until: when a trial must have proved itself.
  int watch(Clock::time_point until) {
    auto kill_at = Clock::time_point::max();
    for (;;) {
      const auto now = Clock::now();
      if (state_.trial && !is_handing_over_ && !is_stopping_ && now >= until && why_killed_.empty()) {
        why_killed_ = cat("it was not well within ", std::to_string(options_.prove_within.count() / 1000), " s");
        step("launcher.kill");
        ::kill(child_, SIGKILL);
      }
      if (now >= kill_at) ::kill(child_, SIGKILL), kill_at = Clock::time_point::max();
      const auto next = std::min(state_.trial && why_killed_.empty() && !is_handing_over_ ? until : Clock::time_point::max(), kill_at);
      const auto wait = next == Clock::time_point::max() ? -1 : std::max<int>(0, static_cast<int>(std::chrono::duration_cast<milliseconds>(next - now).count()) + 1);
      std::array<pollfd, 2> fds{{{signals_.get(), POLLIN, 0}, {pipe_.get(), POLLIN, 0}}};
      if (::poll(fds.data(), is_pipe_open() ? 2 : 1, wait) < 0 && errno != EINTR) return ::kill(child_, SIGKILL), W_EXITCODE(1, 0);
      if (is_pipe_open() && fds[1].revents != 0) listen(kill_at);
      for (signalfd_siginfo info{}; ::read(signals_.get(), &info, sizeof info) == sizeof info;) {
        const auto signal = static_cast<int>(info.ssi_signo);
        if (signal == SIGHUP) ::kill(child_, SIGHUP);
        if (signal != SIGTERM && signal != SIGINT) continue;
        if (!std::exchange(is_stopping_, true)) notify_service_manager("STOPPING=1");
        ask_to_stop(kill_at);
      }
      int status = 0;
      if (::waitpid(child_, &status, WNOHANG) == child_) {
        if (is_pipe_open()) listen(kill_at);  // what it said last
        child_ = -1;
        return status;
      }
    }
  }
  [[nodiscard]] bool is_pipe_open() const { return static_cast<bool>(pipe_); }

  void ask_to_stop(Clock::time_point& kill_at) {
    ::kill(child_, SIGTERM);
    kill_at = std::min(kill_at, Clock::now() + options_.stop_within);
  }

  void listen(Clock::time_point& kill_at) {
    std::array<char, 1024> buffer{};
    for (;;) {
      const auto got = ::read(pipe_.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) break;
      if (got <= 0) return pipe_.reset();
      said_.append(buffer.data(), static_cast<std::size_t>(got));
      for (auto end = said_.find('\n'); end != said_.npos; end = said_.find('\n')) {
        take(std::string_view(said_).substr(0, end), kill_at);
        said_.erase(0, end + 1);
      }
      if (said_.size() > 1024) said_.clear();  // not of us
    }
  }

  void take(std::string_view line, Clock::time_point& kill_at) {
    if (line == "ready") {
      notify_service_manager("READY=1");
    } else if (line == "well") {
      if (!state_.trial || is_handing_over_) return;
      confirm(state_, ::time(nullptr) + options_.probation.count());
      save();
      last_end_.clear();
      log(cat(shown(state_.confirmed), " (", state_.of(state_.confirmed).version, ") is well, and counts from here on"));
    } else if (line.starts_with("try ")) {
      const auto slot = slot_of(line.substr(4, 1));
      const auto set_end = line.find(' ', 6);
      if (!slot || line.size() < 8 || line[5] != ' ' || set_end == line.npos) return log(cat("not understood: ", line));
      // What is itself on trial has no say in what comes after it.
      if (state_.trial) return log("a release on trial wants another one tried: not before it is well");
      if (auto begun = begin_trial(state_, *slot, line.substr(6, set_end - 6), line.substr(set_end + 1)); !begun) return log(begun.error().message);
      save();
      last_end_.clear();
      is_handing_over_ = true;
      log(cat(shown(*slot), " (", state_.of(*slot).version, ") is to be tried: picketd of ", shown(state_.confirmed), " is stopped"));
      step("launcher.stop");
      ask_to_stop(kill_at);
    } else {
      log(cat("not understood: ", line));
    }
  }

  void rest() {
    const auto until = Clock::now() + kRest;
    notify_service_manager("EXTEND_TIMEOUT_USEC=180000000");
    while (Clock::now() < until && is_going_) {
      pollfd fd{signals_.get(), POLLIN, 0};
      ::poll(&fd, 1, static_cast<int>(std::chrono::duration_cast<milliseconds>(until - Clock::now()).count()) + 1);
      for (signalfd_siginfo info{}; ::read(signals_.get(), &info, sizeof info) == sizeof info;)
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) leave(0);
    }
  }

  const Options& options_;
  const std::string package_;
  SlotState state_;
  sigset_t mask_before_{};
  UniqueFd signals_, pipe_;
  pid_t child_ = -1;
  std::string said_, last_end_, why_killed_;
  bool is_stopping_ = false, is_handing_over_ = false, is_going_ = true;
  int code_ = 0;
};

}  // namespace

int launch(const Options& options) { return Launcher(options).run(); }

}  // namespace picket::launcher
