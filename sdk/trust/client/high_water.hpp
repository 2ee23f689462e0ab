// The highest versions ever verified, kept outside of the metadata folder: a damaged or deleted file there must not let an attacker
// go back to older versions (its absence would otherwise look like a first run).
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "trust/client/disk.hpp"
#include "trust/metadata.hpp"

namespace picket::trust {

class HighWater {
 public:
  // No path: remembers nothing beyond this process. A damaged file is told to `event` and counts as empty.
  HighWater(std::filesystem::path file, Disk& disk, const std::function<void(std::string_view)>& event);

  // Marks that another set of keys made are forgotten: that is how a repository recovers from a fast-forward attack (5.3.11).
  // A key that was added does not count: only when one that could have signed them is gone.
  void use_keys_of(const Root& root);
  void forget_root();  // the user trusts another root from now on

  [[nodiscard]] std::int64_t root() const { return root_; }
  [[nodiscard]] std::int64_t timestamp() const { return timestamp_; }
  [[nodiscard]] std::int64_t snapshot() const { return snapshot_; }
  [[nodiscard]] const std::map<std::string, std::int64_t, std::less<>>& files() const { return files_; }

  void saw_root(std::int64_t version);
  void saw(const Metadata<Timestamp>& timestamp);
  void saw(const Metadata<Snapshot>& snapshot);

  // The file to write when something changed, and that it was written.
  [[nodiscard]] std::optional<NewFile> unsaved() const;
  void saved() { changed_ = false; }

 private:
  [[nodiscard]] Result<> load();
  void raise(std::int64_t& mark, std::int64_t version);
  void forget_online();
  void forget();

  std::filesystem::path path_;
  Disk& disk_;
  std::int64_t root_ = 0, timestamp_ = 0, snapshot_ = 0;
  std::map<std::string, std::int64_t, std::less<>> files_;  // as snapshot names them
  std::set<std::string> timestamp_keys_, snapshot_keys_;    // digests of the keys that made the marks
  bool changed_ = false;
};

// Digests of the distinct keys behind a role.
[[nodiscard]] std::set<std::string> identities(const RoleKeys& role, const KeyMap& keys);
// Is a key of `before` missing from `after`?
[[nodiscard]] bool keys_were_removed(const std::set<std::string>& before, const std::set<std::string>& after);

}  // namespace picket::trust
