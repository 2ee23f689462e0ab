#include "base/digest.hpp"

#include <cstdlib>

#include <openssl/evp.h>

#include "base/bytes.hpp"

namespace picket {

bool Digest::is_known(std::string_view algorithm) { return algorithm == "sha256" || algorithm == "sha512"; }

Digest::Digest(std::string_view algorithm) : context_(EVP_MD_CTX_new()) {
  const EVP_MD* kind = algorithm == "sha512" ? EVP_sha512() : EVP_sha256();
  if (!context_ || EVP_DigestInit_ex(context_.get(), kind, nullptr) != 1) std::abort();
}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

void Digest::update(std::string_view bytes) {
  if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) std::abort();
}

std::string Digest::finish_hex() {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_DigestFinal_ex(context_.get(), out, &size) != 1) std::abort();
  return to_hex({reinterpret_cast<const char*>(out), size});
}

std::string sha256_hex(std::string_view bytes) {
  Digest digest;
  digest.update(bytes);
  return digest.finish_hex();
}

}  // namespace picket
