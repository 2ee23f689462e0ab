// The plugin's settings as values. The host has validated them against the manifest's schema; what a schema cannot say is checked here.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "server.hpp"

namespace distribution_point {

struct ComponentVariant {
  std::string component, variant;
  auto operator<=>(const ComponentVariant&) const = default;
};

struct MirrorSettings {
  std::string name;                             // of this point, in results
  std::vector<ComponentVariant> components;     // demanded here, whoever else asks
  bool agent_demand = true, device_demand = true;
  std::vector<std::string> sources;             // names of the agent's sources to use; empty: all
  bool hold_unverified = false;                 // what no verification of this agent tries
  std::size_t releases = 1;                     // the newest so many of each
  bool deltas = true;
  std::uint64_t quota_bytes = 0;                // 0: none
  std::uint64_t warn_free_bytes = 2'000'000'000, need_free_bytes = 4'000'000'000;
  std::chrono::seconds grace{3600};             // how long what is no longer published can still be fetched
  std::chrono::hours verify_stored{24};         // in which all that is stored is read again; 0: at each download
  std::string overall_rule = "strict";
  bool operator==(const MirrorSettings&) const = default;
};

struct Settings {
  bool enabled = false;
  std::filesystem::path folder;
  ServerSettings server;
  MirrorSettings mirror;
  std::vector<picket::AddressRange> scope;      // who may announce a demand; empty: everybody
  std::size_t most_devices = 10'000, most_devices_of_address = 256;
  std::chrono::hours demand_lasts{24 * 7};
  std::chrono::minutes interval{60};            // 0: only when asked
  std::chrono::seconds start_delay{60};
  std::string server_text;                      // what the server was made from: it is only replaced when this differs
};

// From the end of one download to the begin of the next. After failures in a row sooner than else: 1, 2, 4, ... minutes, so that a point whose upstream was
// away for a moment does not leave its devices without updates for an interval.
[[nodiscard]] std::chrono::minutes until_next(std::chrono::minutes interval, unsigned failures);

[[nodiscard]] picket::Result<Settings> parse_settings(std::string_view json);

}  // namespace distribution_point
