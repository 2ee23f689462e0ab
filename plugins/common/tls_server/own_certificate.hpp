// A TLS certificate of its own for a server to which nobody gave one.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace tls_server {

struct CertificateFiles {
  std::filesystem::path certificate, key;
  std::string digest;   // SHA-256 of the certificate (DER), hex: what a person compares
  bool is_new = false;
  std::vector<std::string> not_for;  // of the names: clients that use one of these refuse a certificate that was made before
};

// `folder`/server.pem and server.key: made once (P-256, self-signed, ten years, for `names`: host names and IP addresses), then kept, because
// clients trust this very certificate. Made anew when it has expired. A name that is none is refused.
[[nodiscard]] picket::Result<CertificateFiles> own_certificate(const std::filesystem::path& folder, const std::vector<std::string>& names);

// This computer's name, "localhost", its addresses: what clients may call it.
[[nodiscard]] std::vector<std::string> own_names();

}  // namespace tls_server
