// plugin.json: what a plugin is, may do and needs. Read and verified before any code of the plugin runs.
// The same rules as sdk/schema/manifest.schema.json, which authors can give to their editor.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/topic_owners.hpp"

namespace picket::package {

constexpr std::size_t kMaxManifestBytes = 256u << 10;
constexpr std::string_view kManifestPayloadType = "application/vnd.picket.plugin+json";
constexpr std::string_view kManifestFile = "plugin.json";
constexpr std::string_view kSignatureFile = "plugin.json.dsse";

enum class Isolation : std::uint8_t { in_process, isolated };
enum class Exchange : std::uint8_t { beside, in_order };  // how a new version replaces the old one
enum class TopicKind : std::uint8_t { state, event };

struct Manifest {
  std::string id, name, version, vendor, description, file;
  std::string sha256;  // of the shared object, lower hex
  std::uint16_t abi_major = 1, abi_minor_needed = 0;
  Isolation preferred = Isolation::isolated, minimum = Isolation::in_process;
  Exchange exchange = Exchange::beside;
  std::vector<std::string> requires_extensions;
  struct Published {
    std::string topic;
    TopicKind kind;
  };
  struct {
    std::vector<Published> publishes;
    std::vector<std::string> subscribes, answers, asks;  // subscribes and asks are filters
  } topics;
  std::vector<std::string> capabilities;
  struct {
    std::uint32_t memory_mb = 256, callback_ms = 1000, queue_messages = 1024, queue_bytes = 1u << 20, storage_mb = 16;
  } limits;
  struct Demanded {
    std::string component, component_class;
    bool optional = false;  // a repository without it is no failure
  };
  std::vector<Demanded> demands;
  std::string settings_schema;  // JSON text of an object, draft 7
  std::string minimum_agent;    // empty: any

  // What it lists of Picket's topics, it may use. Code::denied names the list, the topic, and who may.
  [[nodiscard]] Result<> check_topics(Standing standing) const;

  // At most kMaxManifestBytes; strict: an unknown or repeated member is Code::invalid, with the member's path in the text; a topic that no plugin may have is Code::denied.
  // `packed`: sha256 must be there, as in every package; an author's source file may leave it to picket-plugin-pack.
  [[nodiscard]] static Result<Manifest> parse(std::string_view text, bool packed = true);
};

// Reverse domain name: two or more parts of [a-z0-9-], at most 100 bytes. It becomes a folder's name.
[[nodiscard]] bool is_plugin_id(std::string_view id);

// 1.2.3 or 1.2.3-beta.1, ordered as semver.org says.
[[nodiscard]] bool is_version(std::string_view version);
[[nodiscard]] std::strong_ordering compare_versions(std::string_view left, std::string_view right);

}  // namespace picket::package
