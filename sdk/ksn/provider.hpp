// The provider file: a DSSE envelope that says whose KSN it is, where it is and whose word counts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "trust/dsse.hpp"

namespace picket::ksn {

inline constexpr std::string_view kProviderType = "application/vnd.picket.ksn-provider.v1+json";

// {"provider":1, "name":..., "contact":..., "created":"2026-11-22T00:00:00Z", "private":true, "servers":["https://host:port"],
//  "answer_keys":[TUF key objects], "certificate":"PEM of the authority that servers' certificates must lead to; empty: the system's"}
struct Provider {
  std::string name;              // also the name in heads
  std::string contact;
  std::int64_t created = 0;      // Unix seconds
  bool private_ksn = true;
  std::vector<std::string> servers;
  std::vector<trust::PublicKey> answer_keys;
  std::string certificate;

  // Code::untrusted unless one of `keys` signed it; Code::invalid names the member and the rule.
  [[nodiscard]] static Result<Provider> parse(std::string_view envelope, std::span<const trust::PublicKey> keys);
  [[nodiscard]] std::string to_json() const;
};

}  // namespace picket::ksn
