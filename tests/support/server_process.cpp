#include "support/server_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <map>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.hpp"

namespace picket::support {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// The process and all that descend from it: servers put the children that serve one client into sessions of their own.
std::vector<pid_t> family_of(pid_t oldest) {
  std::multimap<pid_t, pid_t> children;
  std::error_code error;
  for (fs::directory_iterator at("/proc", error), end; !error && at != end; at.increment(error)) {
    const auto pid = static_cast<pid_t>(std::atoi(at->path().filename().c_str()));
    if (pid <= 0) continue;
    const auto stat = read_file(at->path() / "stat", 4096).value_or("");  // "PID (name) S PARENT ..."
    if (const auto after = stat.rfind(')'); after != std::string::npos && stat.size() > after + 4) children.emplace(std::atoi(stat.c_str() + after + 4), pid);
  }
  std::vector<pid_t> out{oldest};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto [from, to] = children.equal_range(out[i]);
    for (auto child = from; child != to; ++child) out.push_back(child->second);
  }
  return out;
}

// Between fork and exec only calls that are safe in a threaded program.
[[noreturn]] void become_server(char* const* arguments, char* const* environment, const char* log) {
  ::setpgid(0, 0);  // what it does to its group must not reach the test
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  const int null = ::open("/dev/null", O_RDONLY);
  if (out < 0 || null < 0) ::_exit(126);
  ::dup2(null, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

}  // namespace

Result<std::uint16_t> free_port() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("socket");
  auto address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return fail_errno("bind");
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return fail_errno("getsockname");
  return ntohs(address.sin_port);
}

bool accepts(std::uint16_t port) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto address = loopback(port);
  return fd && ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

Result<> ServerProcess::start(const std::vector<std::string>& arguments, const fs::path& log, const std::function<bool()>& is_ready,
                              const std::vector<std::string>& environment) {
  log_ = log;
  auto words = arguments;
  auto settings = environment;
  for (const char* name : {"PATH", "HOME", "TMPDIR"})
    if (const char* value = std::getenv(name)) settings.push_back(cat(name, "=", value));
  std::vector<char*> argv, envp;
  for (auto& word : words) argv.push_back(word.data());
  for (auto& setting : settings) envp.push_back(setting.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork");
  if (pid == 0) become_server(argv.data(), envp.data(), log_.c_str());
  ::setpgid(pid, pid);  // whoever comes first
  pid_ = pid;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!is_ready()) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) {
      pid_ = -1;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return fail(Code::not_found, cat(arguments.front(), " is not installed"));
      return fail(Code::invalid, cat(arguments.front(), " ended at once: ", this->log()));
    }
    if (std::chrono::steady_clock::now() > deadline) {
      kill();
      return fail(Code::timeout, cat(arguments.front(), " did not start within 60 s: ", this->log()));
    }
    std::this_thread::sleep_for(2ms);
  }
  return {};
}

std::string ServerProcess::log() const { return read_file(log_, 16u << 20).value_or(""); }

void ServerProcess::signal(int number) const {
  if (pid_ <= 0) return;
  for (const pid_t pid : family_of(pid_)) ::kill(pid, number);
}

void ServerProcess::end() {
  if (pid_ <= 0) return;
  const auto family = family_of(pid_);
  signal(SIGCONT);
  signal(SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  for (int status = 0, tries = 1; ::waitpid(pid_, &status, WNOHANG) == 0; ++tries) {
    if (std::chrono::steady_clock::now() > deadline) return kill();
    // Again and again: a signal that comes just before nginx goes to sleep is only noticed at the next event.
    if (tries % 20 == 0) ::kill(pid_, SIGTERM);
    std::this_thread::sleep_for(1ms);
  }
  for (std::size_t i = 1; i < family.size(); ++i) ::kill(family[i], SIGKILL);  // what it left behind
  pid_ = -1;
}

void ServerProcess::kill() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
}

void ServerProcess::hold() { signal(SIGSTOP); }
void ServerProcess::go_on() { signal(SIGCONT); }

}  // namespace picket::support
