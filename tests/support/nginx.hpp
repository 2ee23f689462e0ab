// A real nginx on a free loopback port, for tests: started in a temporary folder, ended with the object (and with the test, even a killed one).
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "support/server_process.hpp"

namespace picket::support {

struct NginxOptions {
  std::filesystem::path root{};// what is served
  bool tls = false;             // https with a fresh certificate for 127.0.0.1 and localhost; HTTP/2 too
  std::string server_lines{};     // added inside server {}
  std::string location_lines{};   // added inside location / {}: "limit_rate 64k;", "return 503;"
  std::string http_lines{};       // added inside http {}
  std::uint16_t port = 0;       // 0: any free one
};

class Nginx {
 public:
  // Returns when it accepts. Code::not_found when nginx is not installed; Code::invalid with its own words when it refuses the configuration.
  [[nodiscard]] static Result<std::unique_ptr<Nginx>> start(const NginxOptions& options);
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const;                      // "http://127.0.0.1:PORT/"
  [[nodiscard]] const std::filesystem::path& certificate() const { return certificate_; }  // PEM: what a client must trust (tls only)
  [[nodiscard]] pid_t pid() const { return process_.pid(); }

  // "GET /path 200 1234" (status, body bytes sent), one per finished request. nginx writes a line after the client has its answer:
  // wait_for_requests looks again until there are `count` or the time is over.
  [[nodiscard]] std::vector<std::string> requests() const;
  [[nodiscard]] std::vector<std::string> wait_for_requests(std::size_t count, std::chrono::milliseconds time = std::chrono::seconds(60)) const;
  // What nginx complained about.
  [[nodiscard]] std::string error_log() const { return process_.log(); }
  void stop() { process_.end(); }  // connections are cut; the port is free again

 private:
  Nginx() = default;
  [[nodiscard]] Result<> launch(const std::string& configuration_text);
  ServerFolder folder_;
  std::filesystem::path certificate_;
  std::uint16_t port_ = 0;
  bool tls_ = false;
  ServerProcess process_;
};

}  // namespace picket::support
