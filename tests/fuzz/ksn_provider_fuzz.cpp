// Any bytes as a provider file: refused; the same bytes truly signed: read or refused with a reason, and what was read is written the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "ksn/provider.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto key = picket::trust::PrivateKey::generate("ed25519").value();
  static const std::vector<picket::trust::PublicKey> keys{key.public_key()};
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (picket::ksn::Provider::parse(text, keys)) std::abort();
  const auto seal = [&](std::string payload) {
    picket::trust::DsseEnvelope envelope{std::string(picket::ksn::kProviderType), std::move(payload), {}};
    if (!envelope.sign(key)) std::abort();
    return envelope.to_json();
  };
  const auto provider = picket::ksn::Provider::parse(seal(text), keys);
  if (!provider) {
    if (provider.error().message.empty()) std::abort();
    return 0;
  }
  const auto again = picket::ksn::Provider::parse(seal(provider->to_json()), keys);
  if (!again || again->to_json() != provider->to_json()) std::abort();
  return 0;
}
