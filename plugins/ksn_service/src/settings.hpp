// The plugin's settings, as in plugin.json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "address_range.hpp"
#include "base/result.hpp"
#include "samples.hpp"

namespace ksn_service {

// How long an answer may be repeated, in seconds.
struct TimeToLive {
  std::uint32_t trusted = 86'400, abusable = 86'400, untrusted = 86'400, unknown = 900, prefix = 1'800;
};

// What the service itself needs: no network, no bus.
struct ServiceSettings {
  std::string name = "Private KSN";
  bool private_ksn = true;
  std::string store = "/var/lib/picket/ksn/store";
  bool licences_required = true;
  TimeToLive ttl;
  std::uint64_t installation_per_minute = 20'000, address_per_minute = 100'000, burst = 20'000;
  std::vector<picket::AddressRange> proxies;  // whose address is not limited: many devices stand behind it
  bool statistics = true;
  SampleSettings samples;
};

struct Settings {
  bool enabled = false;
  ServiceSettings service;
  std::string answer_key = "/etc/picket/ksn/answers.key.pem";
  std::string address = "0.0.0.0";
  std::uint16_t port = 13112;
  std::string certificate, key;
  unsigned threads = 0;
  std::size_t most_connections = 10'000;

  [[nodiscard]] std::string place() const { return picket::cat(address, " ", std::to_string(port)); }  // names its socket
};

[[nodiscard]] picket::Result<Settings> parse_settings(std::string_view text);

}  // namespace ksn_service
