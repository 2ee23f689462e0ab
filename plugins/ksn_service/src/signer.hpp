// Signs this KSN's answers. Any thread.
#pragma once

#include <array>
#include <string>

#include "trust/keys.hpp"

namespace ksn_service {

class Signer {
 public:
  // pem: PKCS#8, not encrypted. Ed25519, or what trust::PrivateKey can sign with.
  [[nodiscard]] static picket::Result<Signer> from_pem(std::string_view pem);

  [[nodiscard]] picket::Result<std::string> sign(std::string_view statement) const;
  [[nodiscard]] const std::string& keyid() const { return keyid_; }

 private:
  explicit Signer(picket::trust::PrivateKey key) : key_(std::move(key)), keyid_(key_.public_key().key_id()) {}

  picket::trust::PrivateKey key_;
  std::string keyid_;
  bool fast_ = false;
  std::array<unsigned char, 64> secret_{};  // libsodium's form: seed and public key
};

}  // namespace ksn_service
