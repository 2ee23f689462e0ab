// The sets on disk: <root>/<component>/<release>-<variant>-<digest8>/ with the files, beside it <same>.json saying what it is, and the link
// `current`. A set with its .json is whole; what lacks one of the two is rubbish. The folder of a set never changes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/cancel.hpp"
#include "update/steps.hpp"

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
  // Throws rubbish away and empties the staging folder: only while nobody stages.
  [[nodiscard]] static Result<SetStore> open(std::filesystem::path sets, std::filesystem::path staging, Steps steps);

  [[nodiscard]] Result<SetInfo> info(std::string_view component, std::string_view set) const;  // Code::not_found, Code::untrusted when its .json is damaged
  [[nodiscard]] std::vector<SetInfo> list(std::string_view component) const;                    // whole ones, highest release first
  [[nodiscard]] std::vector<std::string> components() const;
  [[nodiscard]] std::filesystem::path path_of(std::string_view component, std::string_view set) const { return sets_ / component / set; }

  // An empty folder to fill; what was left in it is thrown away.
  [[nodiscard]] Result<std::filesystem::path> new_staging(std::string_view component);
  void drop_staging(std::string_view component);
  // The filled staging folder, already on disk, becomes a set. An undamaged set of that name stays and the staging is dropped.
  [[nodiscard]] Result<> adopt(const SetInfo& info);
  // Reads all files again. Code::untrusted says what is wrong.
  [[nodiscard]] Result<> verify(const SetInfo& info, const core::CancelToken& cancel) const;
  [[nodiscard]] Result<> remove(std::string_view component, std::string_view set);

  // One rename: whoever follows the link sees the one or the other. Empty set: no link.
  [[nodiscard]] Result<> point_current(std::string_view component, std::string_view set);
  [[nodiscard]] std::string current(std::string_view component) const;  // the name the link says; empty: none

 private:
  SetStore(std::filesystem::path sets, std::filesystem::path staging, Steps steps) : sets_(std::move(sets)), staging_(std::move(staging)), steps_(std::move(steps)) {}
  [[nodiscard]] Result<> clean();
  [[nodiscard]] Result<> discard(const std::filesystem::path& folder);

  std::filesystem::path sets_, staging_;
  Steps steps_;
};

// Also what was made read-only. Best effort, never throws.
void remove_tree(const std::filesystem::path& folder);

}  // namespace picket::update
