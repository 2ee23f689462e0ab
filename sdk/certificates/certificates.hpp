// TLS certificates of our own making: P-256, valid from a day ago, for clients whose clocks are late.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace picket::certificates {

struct KeyAndCertificate {
  std::string certificate, key;  // PEM
};

// What a certificate can be for: an IP address, or what looks like the name of a host.
[[nodiscard]] bool is_host(std::string_view name);

// Its own authority: clients are given this very certificate. `usage` as in openssl's extendedKeyUsage.
[[nodiscard]] Result<KeyAndCertificate> make_self_signed(const std::vector<std::string>& hosts, int days, const std::string& usage = "serverAuth");

// Ten years. It signs nothing but servers (path length 0).
[[nodiscard]] Result<KeyAndCertificate> make_authority(const std::string& name);
// For these host names and IP addresses, three years.
[[nodiscard]] Result<KeyAndCertificate> make_server_certificate(const KeyAndCertificate& authority, const std::vector<std::string>& hosts);

// SHA-256 of the certificate (DER), hex: what a person compares. Empty: the pair does not fit together, has expired, or is none.
[[nodiscard]] std::string digest_of(const KeyAndCertificate& pair);
// Whether clients that call a server by this host name or IP address take the certificate (PEM) for its.
[[nodiscard]] bool is_for(const std::string& certificate, const std::string& host);

}  // namespace picket::certificates
