// A real dnsmasq on a free loopback port, for tests: answers for one domain only.
#pragma once

#include <memory>
#include <string>

#include "support/server_process.hpp"

namespace picket::support {

class Dnsmasq {
 public:
  // Every name below `domain` has the address `address`; all others are unknown.
  [[nodiscard]] static Result<std::unique_ptr<Dnsmasq>> start(const std::string& domain, const std::string& address);

  [[nodiscard]] std::string resolver() const { return cat("127.0.0.1:", std::to_string(port_)); }
  [[nodiscard]] std::string log() const { return process_.log(); }  // each query
  [[nodiscard]] ServerProcess& process() { return process_; }

 private:
  Dnsmasq() = default;
  ServerFolder folder_;
  std::uint16_t port_ = 0;
  ServerProcess process_;
};

}  // namespace picket::support
