// A real OpenSSH sshd that serves SFTP on a free loopback port, for tests. Its one user, "tester", is the test's own user by another name and
// lives in files of the test only (libnss_wrapper): nothing of the system's users is touched or asked.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "support/server_process.hpp"

namespace picket::support {

class Sshd {
 public:
  // The password of "tester"; lines are added to sshd_config.
  [[nodiscard]] static Result<std::unique_ptr<Sshd>> start(const std::string& password, const std::string& lines = {});

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(const std::filesystem::path& root) const { return cat("sftp://127.0.0.1:", std::to_string(port_), root.native(), "/"); }
  [[nodiscard]] std::filesystem::path known_hosts() const { return folder_ / "known_hosts"; }  // holds this server's key
  [[nodiscard]] std::filesystem::path key_file() const { return folder_ / "user"; }            // may log in
  [[nodiscard]] std::string host_key_sha256() const { return host_key_sha256_; }               // "SHA256:..."
  [[nodiscard]] std::string log() const { return process_.log(); }
  [[nodiscard]] ServerProcess& process() { return process_; }

 private:
  Sshd() = default;
  [[nodiscard]] Result<> make_keys();
  [[nodiscard]] Result<> launch(const std::string& password_hash, const std::string& lines);
  ServerFolder folder_;
  std::uint16_t port_ = 0;
  std::string host_key_sha256_;
  ServerProcess process_;
};

}  // namespace picket::support
