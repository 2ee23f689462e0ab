// The time stamp that a signature carries (RFC 3161, else a counter signature of PKCS #9): somebody else's word that it was there at that time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "signed_data.hpp"

namespace ksn_client {

// Unix seconds. nullopt: it has none, or `why` it does not count, e.g. that it is over SHA-1, as many counter signatures are. `authorities`: as for SignedData::leads_to.
[[nodiscard]] std::optional<std::int64_t> stamped_at(const SignedData& signature, const std::string& authorities, std::int64_t now, std::string& why);

}  // namespace ksn_client
