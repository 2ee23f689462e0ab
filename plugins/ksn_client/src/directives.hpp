// What a release of the component ksn-directives says: requests may be restricted or stopped until a date, to relieve the servers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "settings.hpp"

namespace ksn_client {

struct Directives {
  enum class Mode { normal, restricted, stopped };
  Mode mode = Mode::normal;
  std::int64_t until = 0;            // Unix seconds; 0: until another release
  std::vector<std::string> allow;    // of restricted: file, address, software, statistics, content
  std::string reason;

  // directives.json: {"directives":1, "mode":..., "until":..., "allow":[...], "reason":...}. Code::invalid names the member and the rule.
  [[nodiscard]] static Result<Directives> parse(std::string_view json);

  [[nodiscard]] bool in_force(std::int64_t now) const { return mode != Mode::normal && (until == 0 || now < until); }
  // what: file, address, software, statistics, content, hello. hello goes unless all is stopped.
  [[nodiscard]] bool permits(std::string_view what, std::int64_t now) const;
};

[[nodiscard]] std::string_view what_of(v1::ObjectKind kind);  // "file", "address", "software"
[[nodiscard]] std::string utc(std::int64_t seconds);            // "2026-11-22 01:00:00 UTC"
[[nodiscard]] Result<std::int64_t> seconds_of_rfc3339(std::string_view text);

}  // namespace ksn_client
