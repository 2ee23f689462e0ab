// DsseEnvelope::parse and verify on anything: no crash, no trust, and what was read is written and read again the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "trust/dsse.hpp"
#include "trust/json.hpp"

namespace {
using picket::trust::DsseEnvelope;
using picket::trust::PublicKey;

const std::vector<PublicKey>& keys() {
  static const std::vector<PublicKey> out{
      PublicKey::parse({{"keytype", "ed25519"},
                        {"scheme", "ed25519"},
                        {"keyval", boost::json::object{{"public", "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"}}}})
          .value()};
  return out;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // A key is the other thing that arrives as JSON before any signature is checked.
  if (auto value = picket::trust::parse_strict(text); value && value->is_object()) {
    auto key = PublicKey::parse(value->get_object());
    if (key && key->can_verify() == key->identity().empty()) std::abort();
    if (key && key->verify("message", text)) std::abort();
  }
  const auto envelope = DsseEnvelope::parse(text, 1 << 20);
  if (!envelope) return 0;
  if (envelope->verify(envelope->payload_type, keys(), 1)) std::abort();  // nobody here has the private key
  const auto again = DsseEnvelope::parse(envelope->to_json());
  if (!again || again->payload != envelope->payload || again->payload_type != envelope->payload_type || again->signatures.size() != envelope->signatures.size()) std::abort();
  return 0;
}
