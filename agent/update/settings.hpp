// The settings of org.picket.update as values.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace picket::update {

struct SourceEntry {
  std::string name, plugin, location, options_json = "{}";
  bool enabled = true;
  std::optional<std::chrono::seconds> connect_timeout{}, stall_timeout{};  // none: as for all sources
  bool may_hold_back = false;  // it is believed that it holds releases back on purpose
  bool operator==(const SourceEntry&) const = default;
};

struct ReleaseRef {
  std::string component;
  std::uint64_t release = 0;  // 0: every one
};

struct Settings {
  std::vector<SourceEntry> sources;
  std::chrono::minutes interval{120};  // 0: only by hand
  std::size_t keep_sets = 3;
  std::chrono::seconds connect_timeout{10}, stall_timeout{30};
  std::uint32_t min_bytes_per_second = 100;
  std::chrono::seconds rest_after_failure{300}, longest_rest{7200}, longest_wish{7200};
  std::chrono::hours warning_after{72}, critical_after{168};
  std::chrono::hours verify_stored{24};
  std::chrono::seconds confirm_timeout{60};
  std::size_t parallel_downloads = 2;
  bool deltas = true;
  std::size_t delta_chain = 4;
  std::uint64_t delta_memory = 64ull << 20;
  bool tell_servers = true;
  std::string licence_key_id;
  std::vector<std::string> components;  // demanded by the administrator
  std::vector<ReleaseRef> declined, pinned, approved;
  bool keep_archives = false;
  bool approve_agent = false, approve_application = true;
};

[[nodiscard]] std::string_view settings_schema_text();
// Also checks what a schema cannot say: names of sources are unique, warning comes before critical. Code::invalid names the setting.
[[nodiscard]] Result<Settings> parse_settings(std::string_view json);
// One line about the components that declined, pinned or approved name and that are neither in `known` nor demanded by the settings; empty: there are none.
[[nodiscard]] std::string unknown_components(const Settings& settings, const std::set<std::string, std::less<>>& known);

}  // namespace picket::update
