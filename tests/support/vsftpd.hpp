// A real vsftpd on a free loopback port, for tests. Runs as the test's own user; its one user is "anonymous".
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "support/server_process.hpp"

namespace picket::support {

struct VsftpdOptions {
  std::filesystem::path root{};   // what is served: the login folder
  enum class Tls { none, asked_for, implicit } tls = Tls::none;
  std::string password{};       // the only one that is accepted; empty: any
  std::string lines{};          // added to the configuration: "pasv_enable=NO", "anon_max_rate=50000"
};

class Vsftpd {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Vsftpd>> start(const VsftpdOptions& options);

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url() const { return cat(implicit_ ? "ftps" : "ftp", "://127.0.0.1:", std::to_string(port_), "/"); }
  [[nodiscard]] std::filesystem::path certificate() const { return folder_ / "certificate.pem"; }
  [[nodiscard]] std::string log() const;  // each command and response
  [[nodiscard]] ServerProcess& process() { return process_; }

 private:
  Vsftpd() = default;
  [[nodiscard]] Result<> launch(const VsftpdOptions& options);
  ServerFolder folder_;
  std::uint16_t port_ = 0;
  bool implicit_ = false;
  ServerProcess process_;
};

}  // namespace picket::support
