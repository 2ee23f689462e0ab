#include "support/tls_certificate.hpp"

#include "base/files.hpp"
#include "certificates/certificates.hpp"

namespace picket::support {

Result<> make_certificate(const std::filesystem::path& certificate_file, const std::filesystem::path& key_file) {
  PICKET_LET(made, certificates::make_self_signed({"localhost", "127.0.0.1"}, 1, "serverAuth,clientAuth"));
  PICKET_TRY(write_file_atomic(certificate_file, made.certificate));
  return write_file_atomic(key_file, made.key, 0600);
}

}  // namespace picket::support
