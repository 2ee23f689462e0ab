// The sets on disk: <root>/<component>/<release>-<variant>-<digest8>/ with the files, beside it <same>.json saying what it is, and the link
// `current`. A set with its .json is whole; what lacks one of the two is rubbish. The folder of a set never changes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/cancel.hpp"
#include "update/shared_files.hpp"
#include "update/steps.hpp"
#include "update/tree_digest.hpp"

namespace picket::update {

struct SetInfo {
  std::string component, cls, variant, version, content_sha256;
  std::uint64_t release = 0;
  std::int64_t published = 0;
  std::uint64_t files = 0, bytes = 0;
  std::string tree;  // Tree::digest of the folder

  [[nodiscard]] std::string name() const;
};

class SetStore {
 public:
  // All on one file system. `shared`: where contents that several sets have are kept once.
  struct Folders {
    std::filesystem::path sets, staging, shared;
  };
  // Throws rubbish away and empties the staging folder: only while nobody stages.
  [[nodiscard]] static Result<SetStore> open(Folders folders, Steps steps);

  [[nodiscard]] Result<SetInfo> info(std::string_view component, std::string_view set) const;  // Code::not_found, Code::untrusted when its .json is damaged
  [[nodiscard]] std::vector<SetInfo> list(std::string_view component) const;                    // whole ones, highest release first
  [[nodiscard]] std::vector<std::string> components() const;
  [[nodiscard]] std::optional<SetInfo> with_content(std::string_view content_sha256) const;     // a whole one of any component
  [[nodiscard]] std::filesystem::path path_of(std::string_view component, std::string_view set) const { return sets_ / component / set; }

  // An empty folder to fill; what was left in it is thrown away.
  [[nodiscard]] Result<std::filesystem::path> new_staging(std::string_view component);
  void drop_staging(std::string_view component);
  // Puts the files of a filled staging folder on disk, and those that another set has too only once.
  [[nodiscard]] Result<Tree> settle(const std::filesystem::path& staged, const core::CancelToken& cancel);
  // The same for its only file, whose digest is known.
  [[nodiscard]] Result<> settle_one(const std::filesystem::path& file, std::string_view sha256, const core::CancelToken& cancel) { return shared_.settle(file, sha256, cancel); }
  // The filled staging folder, settled, becomes a set. An undamaged set of that name stays and the staging is dropped. Where it replaces a damaged
  // one, its files also take the places of those that are damaged with it in other sets, since several sets share a file; returns how many.
  [[nodiscard]] Result<std::size_t> adopt(const SetInfo& info);
  // Reads all files again. Code::untrusted says what is wrong.
  [[nodiscard]] Result<> verify(const SetInfo& info, const core::CancelToken& cancel) const;
  [[nodiscard]] Result<> remove(std::string_view component, std::string_view set);
  // Gives back the space of files that no set has any more.
  void sweep() { shared_.sweep(); }

  // One rename: whoever follows the link sees the one or the other. Empty set: no link.
  [[nodiscard]] Result<> point_current(std::string_view component, std::string_view set);
  [[nodiscard]] std::string current(std::string_view component) const;  // the name the link says; empty: none

 private:
  SetStore(Folders folders, SharedFiles shared, Steps steps)
      : sets_(std::move(folders.sets)), staging_(std::move(folders.staging)), shared_(std::move(shared)), steps_(std::move(steps)) {}
  [[nodiscard]] Result<> clean();
  [[nodiscard]] std::size_t heal(const std::filesystem::path& damaged, const std::filesystem::path& whole);
  [[nodiscard]] Result<> discard(const std::filesystem::path& folder);

  std::filesystem::path sets_, staging_;
  SharedFiles shared_;
  Steps steps_;
};

// Also what was made read-only. Best effort, never throws.
void remove_tree(const std::filesystem::path& folder);

}  // namespace picket::update
