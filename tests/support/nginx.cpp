#include "support/nginx.hpp"

#include <thread>

#include <unistd.h>

#include "base/files.hpp"
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

// For ServerProcess to say that it is not installed, where it is not.
std::string program() {
  std::error_code ignored;
  for (const char* name : {"/usr/bin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx"})
    if (fs::exists(name, ignored)) return name;
  return "/usr/sbin/nginx";
}

}  // namespace

Result<std::unique_ptr<Nginx>> Nginx::start(const NginxOptions& options) {
  std::unique_ptr<Nginx> self(new Nginx);
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
    auto started = self->launch(configuration(options, self->folder_.path(), self->port_));
    if (started) return self;
    if (options.port != 0 || tries == 5 || started.error().message.find("Address already in use") == std::string::npos)
      return fail(std::move(started).error());
  }
}

Result<> Nginx::launch(const std::string& configuration_text) {
  const auto config = folder_ / "nginx.conf", pid_file = folder_ / "nginx.pid";
  PICKET_TRY(write_file_atomic(config, configuration_text));
  // Its pid file appears after it has read its configuration and listens.
  return process_.start({program(), "-p", folder_.path(), "-c", config}, folder_ / "error.log", [&] {
    std::error_code ignored;
    return fs::exists(pid_file, ignored);
  });
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

}  // namespace picket::support
