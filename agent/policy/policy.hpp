// The facade: which settings are in force for whom, and why.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/clock.hpp"
#include "trust/keys.hpp"

namespace picket::policy {

// Who takes settings: plugins, and the host's own parts such as the update engine (id org.picket.update).
struct Schema {
  std::string id;
  std::string schema_json;  // JSON Schema draft 7, an object
};
// What the policy leaves of the topics in a plugin's manifest: topics, prefixes that end in ".*", or "*". Not set: all of that list.
struct Topics {
  std::optional<std::vector<std::string>> publishes, subscribes, answers, asks;
  [[nodiscard]] bool operator==(const Topics&) const = default;
};
struct Effective {
  std::string json;
  std::uint64_t revision = 0;  // grows with every change of anything
  std::vector<std::string> warnings;  // what was left out, and why: to be logged loudly
  Topics topics;
  bool is_back = false;  // of apply(): what was offered since is refused, by whomever, and is to be as if it had never been offered

  [[nodiscard]] bool says_the_same(const Effective& other) const { return json == other.json && topics == other.topics; }
};
struct Outcome {
  std::string id;
  std::uint64_t expected_revision = 0, observed_revision = 0;
  bool ok = false;             // healthy or degraded
  std::string health, text;
};
class Consumers {
 public:
  virtual ~Consumers() = default;
  [[nodiscard]] virtual std::vector<Schema> schemas() = 0;
  // Asked of a new policy before anybody is offered anything. An error says why this consumer cannot do with so few topics.
  [[nodiscard]] virtual Result<> check(const std::string& /*id*/, const Topics& /*topics*/) { return {}; }
  [[nodiscard]] virtual Outcome apply(const std::string& id, const Effective& settings) = 0;  // blocks, bounded
};

// A policy's word to the host itself; taken at its next start.
struct HostSection {
  std::vector<std::string> in_process, stand_in, disabled;
  [[nodiscard]] bool operator==(const HostSection&) const = default;
};

struct Identity {
  std::string tenant, device;
  std::vector<std::string> groups;
};

// What a schema cannot say of settings that fit it. Code::invalid names the setting.
using Check = std::function<Result<>(std::string_view settings_json)>;

struct Options {
  std::filesystem::path state_dir;      // policy.dsse (in force), the highest revision seen, last refusal; made if absent
  std::filesystem::path local_dir;      // <id>.json: local values; need not exist
  // Those that may sign a policy. Asked before each is judged: an administrator adds keys, and takes them away.
  std::function<Result<std::vector<trust::PublicKey>>()> keys;
  unsigned threshold = 1;
  Identity identity;
  // The host's own parts by id. picketd starts whatever is set for them: a plugin can be left out, they cannot.
  std::map<std::string, Check, std::less<>> host_parts = {};
};

struct Applied {
  bool applied = false;
  std::uint64_t policy_revision = 0;    // in force afterwards
  std::string text;                     // why not
  std::vector<Outcome> outcomes;
};

struct Layer {
  std::string name;         // default, policy, local, locked policy
  std::string value_json;   // empty: says nothing
  bool wins = false;
};
struct Explained {
  std::string setting;      // dotted
  std::string value_json;
  std::vector<Layer> layers;
};

struct Shown {
  std::string policy_json;  // empty: none
  std::uint64_t revision = 0;
  std::string signed_by;                // key ids
  std::string text;                     // the problems, one a line
  std::int64_t applied = 0, expires = 0;
  std::vector<std::string> problems;    // expired, interrupted, last refusal, ignored local files and settings, a refused reload: what `picketctl doctor` lists
};

// Calls are any-thread and may wait for each other, except that effective(), shown(), host(), topics() and explain() never wait for an
// apply: a plugin that is restarted within one gets the settings that are being offered.
class Policy {
 public:
  // Loads the stored policy, verifies it again. A damaged or no longer trusted one is reported through shown().text and not used
  // (nothing is lost: the file stays).
  [[nodiscard]] static Result<std::unique_ptr<Policy>> open(Options options, const core::Clock& clock);
  virtual ~Policy() = default;

  // Defaults filled, layers merged, validated. Code::invalid names the setting, the layer and the rule. A local file that is broken
  // or against the rules is left out with a warning: not starting the plugin would lose protection. What the policy in force says against
  // them (those of another version, perhaps) is left out for a part of the host, setting by setting.
  [[nodiscard]] virtual Result<Effective> effective(const std::string& id, const std::string& schema_json) = 0;
  // Verify (signature, audience, revision, times), validate everything for every consumer, then offer; goes back if one fails. A refusal is
  // told by shown() until a policy is applied; not that of what is no DSSE envelope at all.
  [[nodiscard]] virtual Applied apply(std::string_view envelope, Consumers& consumers) = 0;
  // The local files changed: same transaction without a new policy. Here a bad local file refuses the whole; shown() says so until the
  // next reload that is taken.
  [[nodiscard]] virtual Applied reload_local(Consumers& consumers) = 0;
  [[nodiscard]] virtual Shown shown() const = 0;
  [[nodiscard]] virtual HostSection host() const = 0;
  [[nodiscard]] virtual Topics topics(std::string_view id) const = 0;
  [[nodiscard]] virtual Result<std::vector<Explained>> explain(const std::string& id, const std::string& schema_json, std::string_view setting) = 0;
};

}  // namespace picket::policy
