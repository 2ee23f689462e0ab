#include "support/picketd_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/files.hpp"

namespace picket::support {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kPatience(60);

}  // namespace

Result<std::unique_ptr<Picketd>> Picketd::start(const PicketdOptions& options) {
  auto out = std::unique_ptr<Picketd>(new Picketd());
  out->options_ = options;
  const auto& folder = options.folder;
  for (const char* part : {"settings", "plugins", "policy"}) PICKET_TRY(make_folders(folder / part));
  for (const auto& id : options.plugins) {
    std::error_code error;
    fs::copy(options.build / "plugins" / id, folder / "plugins" / id, fs::copy_options::recursive | fs::copy_options::skip_existing, error);
    if (error) return fail(Code::not_found, cat("plugin ", id, " is not built: ", error.message()));
  }
  for (const auto& [id, json] : options.settings) PICKET_TRY(write_file_atomic(folder / "settings" / cat(id, ".json"), json));
  std::string conf = cat("data-dir = ", (folder / "data").native(), "\nrun-dir = ", (folder / "run").native(), "\nplugin-dir = ", (folder / "plugins").native(),
                         "\nplugin-keys = ", (options.build / "devkey").native(), "\npolicy-keys = ", (folder / "policy").native(), "\nsettings-dir = ", (folder / "settings").native(),
                         "\nupdate-root = ", (options.root_file.empty() ? folder / "none.json" : options.root_file).native(), "\nchild-program = ", (options.build / "bin/picket-plugin-host").native(), "\n");
  for (const auto& id : options.plugins)
    if (std::ranges::find(options.isolated, id) == options.isolated.end()) conf += cat("in-process = ", id, "\n");
  for (const auto& line : options.more_lines) conf += cat(line, "\n");
  PICKET_TRY(write_file_atomic(folder / "picketd.conf", conf));

  const std::string program = options.build / "bin/picketd", conf_file = folder / "picketd.conf", log_file = folder / "log";
  const auto parent = ::getpid();
  out->pid_ = ::fork();
  if (out->pid_ < 0) return fail_errno("fork");
  if (out->pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(log, 1);
    ::dup2(log, 2);
    ::execl(program.c_str(), program.c_str(), "--config", conf_file.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    int status = 0;
    if (::waitpid(out->pid_, &status, WNOHANG) == out->pid_) {
      out->pid_ = -1;
      return fail(Code::unavailable, cat("picketd ended at once: ", out->log()));
    }
    if (auto client = bus::wire::Client::connect(folder / "run/picketd.sock", std::chrono::seconds(1))) {
      out->client_ = std::move(*client);
      return out;
    }
    ::poll(nullptr, 0, 20);
  }
  return fail(Code::timeout, cat("picketd does not answer: ", out->log()));
}

Result<std::string> Picketd::ask(std::string_view topic, std::string_view payload, std::chrono::milliseconds timeout) {
  // A plugin that is still starting answers a little later.
  const auto end = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    auto answer = client_->call({.topic = topic, .to = {}, .content_type = {}, .payload = payload, .timeout = timeout});
    if (answer) return std::move(answer->payload);
    if (std::chrono::steady_clock::now() > end || !answer.error().is_unanswered) return fail(std::move(answer).error());
    ::poll(nullptr, 0, 20);
  }
}

std::string Picketd::log() const { return read_file(options_.folder / "log", 64u << 20).value_or(""); }

void Picketd::kill() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_ = -1;
}

void Picketd::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  for (int i = 0; i < 6000; ++i) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return;
    }
    ::poll(nullptr, 0, 10);
  }
  kill();
}

Picketd::~Picketd() { stop(); }

}  // namespace picket::support
