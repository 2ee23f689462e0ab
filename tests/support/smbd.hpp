// A real Samba smbd on a free loopback port, for tests: the shares "guest" (guests only) and "closed" (user "tester" only) show one folder. User and
// password live in files of the test only (libnss_wrapper, a passdb of its own).
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "support/server_process.hpp"

namespace picket::support {

class Smbd {
 public:
  // lines: added to [global].
  [[nodiscard]] static Result<std::unique_ptr<Smbd>> start(const std::filesystem::path& root, const std::string& password, const std::string& lines = {});

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string url(std::string_view share) const { return cat("smb://127.0.0.1:", std::to_string(port_), "/", share, "/"); }
  [[nodiscard]] std::string log() const { return process_.log(); }
  [[nodiscard]] ServerProcess& process() { return process_; }

 private:
  Smbd() = default;
  [[nodiscard]] Result<> prepare(const std::filesystem::path& root, const std::string& password, const std::string& lines);
  [[nodiscard]] std::vector<std::string> environment() const;
  ServerFolder folder_;
  std::uint16_t port_ = 0;
  ServerProcess process_;
};

}  // namespace picket::support
