// One policy document, as signed: parsed, checked against sdk/schema/policy.schema.json, not yet judged.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "policy/layers.hpp"
#include "policy/policy.hpp"

namespace picket::policy {

// The host's own parts that take settings: approvals and tasks of a document are locked settings of theirs.
inline constexpr std::string_view kUpdatePart = "org.picket.update", kTasksPart = "org.picket.tasks";

inline constexpr std::string_view payload_type = "application/vnd.picket.policy+json";

struct Audience {
  std::string tenant;
  std::vector<std::string> groups, devices;

  // Empty: for this identity. Else why not.
  [[nodiscard]] std::string why_not_for(const Identity& identity) const;

 private:
  [[nodiscard]] std::string why_not(const Identity& identity) const;
};

struct PluginPolicy {
  json::object settings;
  Locks locks;
  Topics topics;
};

struct Document {
  std::string text;  // the payload, byte by byte
  std::uint64_t revision = 0;
  std::int64_t issued = 0, expires = 0;
  Audience audience;
  std::map<std::string, PluginPolicy, std::less<>> plugins;
  HostSection host;

  // Code::invalid names what is wrong; Code::unsupported: another version of the format. Bounded by 4 MiB.
  [[nodiscard]] static Result<Document> parse(std::string_view payload);

 private:
  [[nodiscard]] static Result<Document> read(std::string_view payload);
};

// RFC 3339 times and revision against now: Code::invalid (not yet issued, times in disorder) or Code::expired.
[[nodiscard]] Result<> check_times(const Document& document, std::int64_t now);

}  // namespace picket::policy
