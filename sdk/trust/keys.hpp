// Public and private keys as TUF writes them: ed25519, ecdsa (P-256; P-384 and P-521 can verify), rsa (PSS).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "base/result.hpp"

struct evp_pkey_st;

namespace picket::trust {

namespace json = boost::json;

// Copies share the key; a const key may be used by several threads at once.
class PublicKey {
 public:
  // Never fails for a well-formed object: a key of unknown type or scheme, or with a broken value, is kept but cannot verify,
  // so that a publisher may add a new scheme later. Code::invalid only when the shape is wrong (keytype, scheme, keyval.public: strings).
  [[nodiscard]] static Result<PublicKey> parse(const json::object& key);

  [[nodiscard]] bool can_verify() const { return key_ != nullptr; }
  [[nodiscard]] std::string_view why_not() const { return why_not_; }
  [[nodiscard]] bool verify(std::string_view message, std::string_view signature) const;
  // Same for two spellings of one key: what thresholds count (SPKI DER). Empty when it cannot verify.
  [[nodiscard]] const std::string& identity() const { return identity_; }
  [[nodiscard]] const std::string& scheme() const { return scheme_; }
  [[nodiscard]] const json::object& to_json() const { return json_; }
  // SHA-256 of the canonical form of the whole key object, lower hex (TUF 4.2): what a publisher writes. Opaque on reading.
  [[nodiscard]] std::string key_id() const;

 private:
  json::object json_;
  std::string scheme_, identity_, why_not_;
  std::shared_ptr<evp_pkey_st> key_;
};

class PrivateKey {
 public:
  // type: "ed25519", "ecdsa" or "rsa" (3072 bits).
  [[nodiscard]] static Result<PrivateKey> generate(std::string_view type);
  // PEM PKCS#8, encrypted when a passphrase was given. A wrong or missing passphrase is Code::denied.
  [[nodiscard]] static Result<PrivateKey> from_pem(std::string_view pem, std::string_view passphrase = {});
  [[nodiscard]] Result<std::string> to_pem(std::string_view passphrase = {}) const;
  [[nodiscard]] const PublicKey& public_key() const { return public_; }
  [[nodiscard]] Result<std::string> sign(std::string_view message) const;

 private:
  [[nodiscard]] static Result<PrivateKey> from_key(std::shared_ptr<evp_pkey_st> key);

  std::shared_ptr<evp_pkey_st> key_;
  PublicKey public_;
};

}  // namespace picket::trust
