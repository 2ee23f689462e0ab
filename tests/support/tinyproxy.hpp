// A real tinyproxy on a free loopback port, for tests.
#pragma once

#include <memory>
#include <string>

#include "support/server_process.hpp"

namespace picket::support {

class Tinyproxy {
 public:
  // With a user it wants user and password of everybody.
  [[nodiscard]] static Result<std::unique_ptr<Tinyproxy>> start(const std::string& user = {}, const std::string& password = {});

  [[nodiscard]] std::string address() const { return cat("127.0.0.1:", std::to_string(port_)); }
  [[nodiscard]] std::string log() const;  // each request
  [[nodiscard]] ServerProcess& process() { return process_; }

 private:
  Tinyproxy() = default;
  ServerFolder folder_;
  std::uint16_t port_ = 0;
  ServerProcess process_;
};

}  // namespace picket::support
