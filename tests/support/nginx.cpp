#include "support/nginx.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.hpp"
#include "support/server_process.hpp"
#include "support/tls_certificate.hpp"

namespace picket::support {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint64_t log_limit = 64u << 20;

std::string configuration(const NginxOptions& options, const fs::path& folder, std::uint16_t port) {
  const auto in = [&](const char* name) { return (folder / name).native(); };
  std::string text = "daemon off;\nmaster_process off;\n";
  if (::geteuid() == 0) text += "user root;\n";
  text += cat("pid ", in("nginx.pid"), ";\nerror_log ", in("error.log"), " warn;\nevents { worker_connections 256; }\nhttp {\n",
              "log_format requests '$request_method $request_uri $status $body_bytes_sent';\naccess_log ", in("access.log"), " requests;\n");
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) text += cat(kind, "_temp_path ", in("temp_"), kind, ";\n");
  text += cat("default_type application/octet-stream;\nsendfile on;\ntcp_nopush on;\nkeepalive_requests 100000;\n", options.http_lines,
              "\nserver {\nlisten 127.0.0.1:", std::to_string(port), options.tls ? " ssl http2" : "", ";\nroot ", options.root.native(), ";\n");
  if (options.tls) text += cat("ssl_certificate ", in("certificate.pem"), ";\nssl_certificate_key ", in("key.pem"), ";\n");
  return cat(text, options.server_lines, "\nlocation / {\n", options.location_lines, "\n}\n}\n}\n");
}

// Between fork and exec only calls that are safe in a threaded program.
[[noreturn]] void become_nginx(const char* folder, const char* config, const char* errors) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(errors, O_WRONLY | O_CREAT | O_APPEND, 0644);
  const int null = ::open("/dev/null", O_RDONLY);
  if (out < 0 || null < 0) ::_exit(126);
  ::dup2(null, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  for (const char* program : {"/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx"})
    ::execl(program, "nginx", "-p", folder, "-c", config, static_cast<char*>(nullptr));
  ::_exit(127);
}

}  // namespace

Result<std::unique_ptr<Nginx>> Nginx::start(const NginxOptions& options) {
  std::unique_ptr<Nginx> self(new Nginx);
  std::string name = (fs::temp_directory_path() / "picket-nginx-XXXXXX").native();
  if (::mkdtemp(name.data()) == nullptr) return fail_errno("create a folder for nginx");
  self->folder_ = name;
  self->tls_ = options.tls;
  self->port_ = options.port;
  if (options.tls) {
    self->certificate_ = self->folder_ / "certificate.pem";
    PICKET_TRY(make_certificate(self->certificate_, self->folder_ / "key.pem"));
  }
  for (int tries = 1;; ++tries) {
    if (options.port == 0) {
      PICKET_LET(port, free_port());
      self->port_ = port;
    }
    auto started = self->launch(configuration(options, self->folder_, self->port_));
    if (started) return self;
    if (options.port != 0 || tries == 5 || started.error().message.find("Address already in use") == std::string::npos)
      return fail(std::move(started).error());
  }
}

Result<> Nginx::launch(const std::string& configuration_text) {
  const auto config = (folder_ / "nginx.conf").native(), errors = (folder_ / "error.log").native();
  PICKET_TRY(write_file_atomic(config, configuration_text));
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("fork");
  if (pid == 0) become_nginx(folder_.c_str(), config.c_str(), errors.c_str());
  pid_ = pid;

  // Its pid file appears after it has read its configuration and listens.
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  for (std::error_code ignored; !fs::exists(folder_ / "nginx.pid", ignored);) {
    int status = 0;
    if (::waitpid(pid, &status, WNOHANG) == pid) {
      pid_ = -1;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return fail(Code::not_found, "nginx is not installed");
      return fail(Code::invalid, cat("nginx ended at once: ", error_log()));
    }
    if (std::chrono::steady_clock::now() > deadline) return fail(Code::timeout, "nginx did not start within 20 s");
    std::this_thread::sleep_for(2ms);
  }
  return {};
}

Nginx::~Nginx() {
  stop();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void Nginx::stop() {
  if (pid_ <= 0) return;
  // Again and again: a signal that comes just before nginx goes to sleep is only noticed at the next event.
  const auto deadline = std::chrono::steady_clock::now() + 5s;
  for (int status = 0, tries = 0; ::waitpid(pid_, &status, WNOHANG) == 0; ++tries) {
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &status, 0);
      break;
    }
    if (tries % 20 == 0) ::kill(pid_, SIGTERM);
    std::this_thread::sleep_for(1ms);
  }
  pid_ = -1;
}

std::string Nginx::url() const { return cat(tls_ ? "https" : "http", "://127.0.0.1:", std::to_string(port_), "/"); }

std::vector<std::string> Nginx::requests() const {
  std::vector<std::string> lines;
  const auto text = read_file(folder_ / "access.log", log_limit).value_or("");
  for (std::size_t from = 0, end; (end = text.find('\n', from)) != std::string::npos; from = end + 1) lines.push_back(text.substr(from, end - from));
  return lines;
}

std::vector<std::string> Nginx::wait_for_requests(std::size_t count, std::chrono::milliseconds time) const {
  const auto deadline = std::chrono::steady_clock::now() + time;
  auto lines = requests();
  while (lines.size() < count && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(1ms);
    lines = requests();
  }
  return lines;
}

std::string Nginx::error_log() const { return read_file(folder_ / "error.log", log_limit).value_or(""); }

}  // namespace picket::support
