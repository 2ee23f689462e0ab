#include "signer.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sodium.h>

#include "base/free_with.hpp"

namespace ksn_service {

using picket::Code;
using picket::Result;
using picket::fail;

Result<Signer> Signer::from_pem(std::string_view pem) {
  PICKET_LET(key, picket::trust::PrivateKey::from_pem(pem));
  Signer out(std::move(key));
  if (out.key_.public_key().scheme() != "ed25519") return out;
  const picket::Owned<BIO, BIO_free_all> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const picket::Owned<EVP_PKEY, EVP_PKEY_free> raw(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  std::array<unsigned char, crypto_sign_SEEDBYTES> seed{};
  std::size_t size = seed.size();
  std::array<unsigned char, crypto_sign_PUBLICKEYBYTES> unused{};
  if (raw && EVP_PKEY_get_raw_private_key(raw.get(), seed.data(), &size) == 1 && size == seed.size() && sodium_init() >= 0)
    out.fast_ = crypto_sign_seed_keypair(unused.data(), out.secret_.data(), seed.data()) == 0;
  sodium_memzero(seed.data(), seed.size());
  return out;
}

Result<std::string> Signer::sign(std::string_view statement) const {
  if (!fast_) return key_.sign(statement);
  std::string out(crypto_sign_BYTES, '\0');
  if (crypto_sign_detached(reinterpret_cast<unsigned char*>(out.data()), nullptr, reinterpret_cast<const unsigned char*>(statement.data()), statement.size(), secret_.data()) != 0)
    return fail(Code::internal, "cannot sign");
  return out;
}

}  // namespace ksn_service
