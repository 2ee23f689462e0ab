// What Picket adds to a TUF target: a release of a component (`custom.picket`, sdk/schema/target_custom.schema.json).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "base/result.hpp"
#include "trust/client.hpp"

namespace picket::trust {

struct Release {
  std::string component;         // [a-z0-9][a-z0-9-]*, at most 64; also the name of the delegated role that signs it
  std::string cls;               // "databases", "agent", "application"
  std::string variant;           // "full", "light"
  std::int64_t release = 0;      // >= 1; grows; shared by the variants of a component
  std::string version;           // for people
  UnixTime published = 0;
  std::string kind = "full";     // whole content; others (deltas) are Code::unsupported to this version
  std::string format;            // "tar.zst": a folder; "file": one file, the target's bytes as they are
  std::uint64_t content_length = 0;   // of the uncompressed tar, or of the file
  std::string content_sha256;         // lower hex, of the same
  std::uint64_t files = 0;            // regular files in it
  std::uint64_t unpacked = 0;         // their bytes
  std::string minimum_agent;     // "1.2.3"
  std::string name;              // format "file": what to call it; one path part

  // The target: what is downloaded.
  std::string path;              // <component>/<variant>/<release>.tar.zst, or .bin for format "file"
  std::uint64_t length = 0;
  std::map<std::string, std::string> hashes;
};

// The way from one release of a variant to another in few bytes. The full release that it makes says all about the result.
struct Delta {
  std::string component, variant;
  std::int64_t release = 0;      // what it makes
  std::int64_t base = 0;         // what it starts from: lower
  std::string base_sha256;       // lower hex: content_sha256 of the release that it starts from
  std::string method;            // sdk/delta knows which

  std::string path;              // <component>/<variant>/<release>.from-<base>.delta
  std::uint64_t length = 0;
  std::map<std::string, std::string> hashes;
};

// Code::invalid names the member that is wrong; Code::unsupported when the target is well-formed but of a kind or format that this
// version does not know (skip it); Code::not_found when it is no release at all (no custom.picket). Unknown members are ignored.
[[nodiscard]] Result<Release> parse_release(const Target& target);
// The target's `custom`: {"picket": {...}}.
[[nodiscard]] json::object release_custom(const Release& release);
[[nodiscard]] std::string release_path(const Release& release);

// Code::not_found when the target is no delta. What parse_release calls unsupported may be one.
[[nodiscard]] Result<Delta> parse_delta(const Target& target);
[[nodiscard]] json::object delta_custom(const Delta& delta);
[[nodiscard]] std::string delta_path(const Delta& delta);

// Code::invalid says what is wrong with the name. Also refuses the names of the top-level roles.
[[nodiscard]] Result<> check_component_name(std::string_view name);
[[nodiscard]] Result<> check_release(const Release& release);
// "<component>/*/*": the only pattern of a component's delegation.
[[nodiscard]] std::string component_pattern(std::string_view component);

}  // namespace picket::trust
