// Changes to what is staged: the first root, keys and thresholds of roles, releases.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.hpp"
#include "base/result.hpp"
#include "repo/key_store.hpp"
#include "repo/workspace.hpp"
#include "trust/release.hpp"

namespace picket::repo {

// Stages version 1 of root and targets; `keys` in the order root, targets, snapshot, timestamp.
[[nodiscard]] Result<> stage_first(Workspace& workspace, const std::vector<trust::PublicKey>& keys);
// Throws away what is staged, signatures and files too; of a repository that was never published, the components. Returns the roles that changed.
// Code::conflict: there is nothing.
[[nodiscard]] Result<std::vector<std::string>> discard(Workspace& workspace);

// Each stages root (for top-level roles) or targets (for components), and the role's own metadata again when the signatures that
// it has are no longer enough.
[[nodiscard]] Result<> add_role_key(Workspace& workspace, std::string_view role, const trust::PublicKey& key);
[[nodiscard]] Result<> remove_role_key(Workspace& workspace, std::string_view role, std::string_view keyid);
[[nodiscard]] Result<> set_threshold(Workspace& workspace, std::string_view role, std::int64_t threshold);
// Sets how long it is valid from now on, and stages it with the new expiry (snapshot and timestamp: at the next publish).
[[nodiscard]] Result<> set_expiry(Workspace& workspace, std::string_view role, std::int64_t hours);
[[nodiscard]] Result<> renew(Workspace& workspace, std::string_view role);

// One delta that was made, or why not.
struct DeltaNews {
  trust::Delta delta;
  std::string skipped;
};

struct NewRelease {
  std::string component, variant;
  std::int64_t release = 0;
  std::string version;                         // empty: the release number
  std::string cls;                             // empty: as before, else databases
  std::string minimum_agent;                   // empty: as before, else 0.1.0
  std::filesystem::path source;                // a folder or a file
  int level = 19;
  std::optional<std::size_t> keep;             // how many releases of the variant stay in the metadata
  std::vector<trust::PublicKey> keys;          // of a new component's role; empty: the keys of targets
  std::optional<std::size_t> deltas;           // from how many earlier releases; empty: as the settings say
  std::function<void(const DeltaNews&)> on_delta;  // told as each is done, because they take their time
};
// Packs the source into staged/targets and stages the component's metadata. Returns the release and what was dropped by `keep`.
struct Added {
  trust::Release release;
  bool is_new_component = false;
  std::vector<std::string> dropped;
  std::vector<DeltaNews> deltas;
};
[[nodiscard]] Result<Added> add_release(Workspace& workspace, const NewRelease& wanted, Progress& progress);

// Of one component's document; targets that are no releases are left out. Sorted by variant and release.
[[nodiscard]] std::vector<trust::Release> releases_in(const Document& document);
// Sorted by variant, what they make, and what they start from.
[[nodiscard]] std::vector<trust::Delta> deltas_in(const Document& document);
// Every target with a meaning of ours.
struct Offered {
  std::string path;
  std::uint64_t length = 0;
  std::map<std::string, std::string> hashes;
  std::optional<trust::Release> release;  // empty: a delta
};
[[nodiscard]] std::vector<Offered> offered_in(const Document& document);

}  // namespace picket::repo
