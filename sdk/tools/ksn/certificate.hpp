// TLS certificates for an organisation that has no authority of its own.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace picket::ksn_tool {

struct KeyAndCertificate {
  std::string certificate, key;  // PEM
};

// P-256, ten years. The authority signs nothing but servers (path length 0).
[[nodiscard]] Result<KeyAndCertificate> make_authority(const std::string& name);
// For these host names and IP addresses, three years.
[[nodiscard]] Result<KeyAndCertificate> make_server_certificate(const KeyAndCertificate& authority, const std::vector<std::string>& hosts);

}  // namespace picket::ksn_tool
