// TUF metadata as values: the typed view beside the JSON tree it came from. Parsing checks the shape only; whether to believe it
// is decided by `verify_threshold` and the client.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "base/result.hpp"
#include "trust/keys.hpp"

namespace picket::trust {

using UnixTime = std::int64_t;  // seconds
[[nodiscard]] Result<UnixTime> parse_time(std::string_view text);  // YYYY-MM-DDTHH:MM:SS[.fraction]Z, years 1970..9999
[[nodiscard]] std::string format_time(UnixTime time);

struct Signature {
  std::string keyid;
  std::string sig;  // raw; empty when it was not hex: counts as not signed
};

struct RoleKeys {
  std::vector<std::string> keyids;
  std::int64_t threshold = 1;  // >= 1
};

using KeyMap = std::map<std::string, PublicKey, std::less<>>;

struct Root {
  bool consistent_snapshot = false;
  KeyMap keys;
  RoleKeys root, timestamp, snapshot, targets;
};

struct MetaFile {
  std::int64_t version = 0;
  std::optional<std::uint64_t> length;
  std::map<std::string, std::string> hashes;  // algorithm -> lower hex; unknown algorithms kept
};

struct Timestamp {
  MetaFile snapshot;
};

struct Snapshot {
  std::map<std::string, MetaFile, std::less<>> meta;  // "targets.json", "role.json": the name as signed, not encoded
};

struct TargetFile {
  std::uint64_t length = 0;
  std::map<std::string, std::string> hashes;
  json::object custom;
};

struct DelegatedRole {
  std::string name;
  RoleKeys keys;
  bool terminating = false;
  std::vector<std::string> paths;                // glob patterns; exactly one of the two is used
  std::vector<std::string> path_hash_prefixes;
  // Does the target path belong to this delegation? (TUF 4.5; per part, `*` and `?` only, case-sensitive)
  [[nodiscard]] bool matches(std::string_view target_path) const;
};

// TAP 15
struct SuccinctRoles {
  RoleKeys keys;
  unsigned bit_length = 1;  // 1..32
  std::string name_prefix;
  [[nodiscard]] std::string bin_of(std::string_view target_path) const;
  [[nodiscard]] bool is_bin(std::string_view role) const;
};

struct Delegations {
  KeyMap keys;
  std::vector<DelegatedRole> roles;
  std::optional<SuccinctRoles> succinct;
};

struct Targets {
  std::map<std::string, TargetFile, std::less<>> targets;
  std::optional<Delegations> delegations;
};

// What all roles share.
template <class Body>
struct Metadata {
  std::int64_t version = 0;
  UnixTime expires = 0;
  Body body;
  std::string signed_bytes;  // canonical form of `signed`, unknown members included
  std::vector<Signature> signatures;

  // Checks _type, spec_version (major 1), and the shape of every member. Code::invalid names the member.
  [[nodiscard]] static Result<Metadata> parse(std::string_view bytes);
};

// Code::untrusted unless `threshold` distinct keys (by PublicKey::identity) of the role signed.
[[nodiscard]] Result<> verify_threshold(std::string_view role, const RoleKeys& role_keys, const KeyMap& keys, std::string_view signed_bytes,
                                        const std::vector<Signature>& signatures);

// A root of that version, signed by its own keys: no byte of what they signed has changed. Whether anybody should trust them, those find out who walk to
// it from the root that they have. For handing on.
[[nodiscard]] bool is_root(std::string_view bytes, std::int64_t version);

// Code::untrusted unless bytes have the length (when given) and every known hash, of which there must be at least one if any is listed.
[[nodiscard]] Result<> verify_file(std::string_view what, std::string_view bytes, const MetaFile& expected);

// A target path that may be used: relative, no empty, "." or ".." part, no backslash, no control character. Code::invalid says which.
[[nodiscard]] Result<> check_target_path(std::string_view path);
// The file name of a role's metadata without ".json": percent-encoded, safe as one path part.
[[nodiscard]] std::string encode_role(std::string_view role);
[[nodiscard]] std::string decode_role(std::string_view file_name);
// "dir/name" -> "dir/HASH.name"
[[nodiscard]] std::string consistent_target_path(std::string_view path, std::string_view hash);

}  // namespace picket::trust
