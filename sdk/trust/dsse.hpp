// DSSE envelopes (github.com/secure-systems-lab/dsse, protocol 1.0.0): how policies and plugin manifests are signed.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "trust/keys.hpp"

namespace picket::trust {

struct DsseSignature {
  std::string keyid;
  std::string sig;  // raw bytes
};

struct DsseEnvelope {
  std::string payload_type;
  std::string payload;
  std::vector<DsseSignature> signatures;

  // At most max_bytes of text and 64 signatures; Code::invalid says what is wrong with it. Code::too_large.
  [[nodiscard]] static Result<DsseEnvelope> parse(std::string_view text, std::size_t max_bytes = 4u << 20);
  [[nodiscard]] std::string to_json() const;
  // Adds a signature; one by the same key is replaced.
  [[nodiscard]] Result<> sign(const PrivateKey& key);
  // Code::untrusted unless at least `threshold` distinct keys of `keys` signed exactly this payload and type.
  // Returns the key ids that did.
  [[nodiscard]] Result<std::vector<std::string>> verify(std::string_view payload_type, std::span<const PublicKey> keys, unsigned threshold = 1) const;
};

// "DSSEv1 <len> <type> <len> <payload>": the bytes that are signed.
[[nodiscard]] std::string pre_authentication_encoding(std::string_view payload_type, std::string_view payload);

// A folder of trusted public keys: every *.pub.json in it, at most 256. A broken file is an error that names it.
[[nodiscard]] Result<std::vector<PublicKey>> load_keys(const std::string& folder);

}  // namespace picket::trust
