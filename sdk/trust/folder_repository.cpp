#include "trust/folder_repository.hpp"

#include <system_error>

#include "base/files.hpp"
#include "base/folders.hpp"

namespace picket::trust {
namespace fs = std::filesystem;
namespace {

// A slip of the hand must not remove somebody's documents.
Result<> check_replaceable(const fs::path& folder) {
  std::error_code error;
  const auto status = fs::symlink_status(folder, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (error) return fail(Code::io, cat("look at ", folder.native(), ": ", error.message()));
  if (status.type() != fs::file_type::directory) return fail(Code::conflict, cat(folder.native(), " is there and is no folder"));
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const auto name = at->path().filename().native();
    if (name != "metadata" && name != "targets") return fail(Code::conflict, cat(folder.native(), " holds '", name, "': it is no repository, and is left alone; name an empty folder"));
  }
  if (error) return fail(Code::io, cat("read ", folder.native(), ": ", error.message()));
  return {};
}

Result<> fill(const std::vector<MetadataFile>& metadata, const std::vector<TargetCopy>& targets, const fs::path& fresh) {
  PICKET_TRY(make_folders(fresh / "metadata"));
  PICKET_TRY(make_folders(fresh / "targets"));
  for (const auto& file : metadata) PICKET_TRY(write_file_atomic(fresh / "metadata" / file.path, file.bytes));
  for (const auto& target : targets) {
    PICKET_TRY(check_target_path(target.path));
    const auto to = fresh / "targets" / target.path;
    PICKET_TRY(make_folders(to.parent_path()));
    PICKET_TRY(copy_whole_file(target.file, to));
  }
  return sync_tree(fresh);
}

}  // namespace

Result<> write_repository(const std::vector<MetadataFile>& metadata, const std::vector<TargetCopy>& targets, const fs::path& folder) {
  std::error_code error;
  const auto place = (folder.has_filename() ? folder : folder.parent_path()).lexically_normal();  // "out/" is "out"
  if (place.empty() || !place.has_filename() || place == "." || place == "..") return fail(Code::invalid, cat("'", folder.native(), "' is no name of a folder to make"));
  const auto parent = place.has_parent_path() ? place.parent_path() : fs::path(".");
  if (!fs::is_directory(parent, error)) return fail(Code::not_found, cat(parent.native(), " is no folder"));
  PICKET_TRY(check_replaceable(place));
  const auto fresh = parent / cat(".", place.filename().native(), ".new");
  fs::remove_all(fresh, error);  // of a killed one
  auto done = fill(metadata, targets, fresh);
  if (done) done = replace_folder(fresh, place);
  if (!done) fs::remove_all(fresh, error);
  return done;
}

}  // namespace picket::trust
