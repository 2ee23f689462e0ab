#include "trust/folder_repository.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.hpp"
#include "base/folders.hpp"

namespace picket::trust {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kMarker = "picket-export.txt";
constexpr std::string_view kMarkerText = "Written by picket-repo export or picketctl update export: the next export to this folder replaces all of it.\n";

struct Place {
  fs::path folder, parent;
};

Result<Place> place_of(const fs::path& folder) {
  auto place = (folder.has_filename() ? folder : folder.parent_path()).lexically_normal();  // "out/" is "out"
  if (place.empty() || !place.has_filename() || place == "." || place == "..") return fail(Code::invalid, cat("'", folder.native(), "' is no name of a folder to make"));
  auto parent = place.has_parent_path() ? place.parent_path() : fs::path(".");
  return Place{std::move(place), std::move(parent)};
}

// A slip of the hand must not remove somebody's documents, nor a repository that was not made by an export.
Result<> check_replaceable(const fs::path& folder) {
  std::error_code error;
  const auto status = fs::symlink_status(folder, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (error) return fail(Code::io, cat("look at ", folder.native(), ": ", error.message()));
  if (status.type() != fs::file_type::directory) return fail(Code::conflict, cat(folder.native(), " is there and is no folder"));
  bool is_empty = true, is_export = false;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const auto name = at->path().filename().native();
    is_empty = false;
    if (name == kMarker) is_export = true;
    else if (name != "metadata" && name != "targets") return fail(Code::conflict, cat(folder.native(), " holds '", name, "': it is no repository, and is left alone; name an empty folder"));
  }
  if (error) return fail(Code::io, cat("read ", folder.native(), ": ", error.message()));
  if (is_empty || is_export) return {};
  return fail(Code::conflict, cat(folder.native(), " is a repository without ", kMarker, ", and is left alone: name another folder, or remove this one if an earlier version exported it"));
}

// Something else than what its parent lies on: nothing beside it could take its place by a rename.
bool is_mounted(const Place& place) {
  struct stat own {}, around {};
  return ::lstat(place.folder.c_str(), &own) == 0 && ::stat(place.parent.c_str(), &around) == 0 && own.st_dev != around.st_dev;
}

Result<> fill(const std::vector<MetadataFile>& metadata, const std::vector<TargetCopy>& targets, const fs::path& fresh) {
  PICKET_TRY(make_folders(fresh / "metadata"));
  PICKET_TRY(make_folders(fresh / "targets"));
  PICKET_TRY(write_file_atomic(fresh / kMarker, kMarkerText));
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

Result<> check_export_folder(const fs::path& folder) {
  PICKET_LET(place, place_of(folder));
  std::error_code error;
  if (!fs::is_directory(place.parent, error)) return fail(Code::not_found, cat(place.parent.native(), " is no folder"));
  if (fs::exists(place.parent / "picket-repo.json", error)) return fail(Code::conflict, cat(place.folder.native(), " lies in a publisher's own folder (picket-repo.json is there): name one elsewhere"));
  if (is_mounted(place)) return fail(Code::conflict, cat(place.folder.native(), " is where a drive or share is mounted, which cannot be replaced as a whole: name a folder on it, as ", (place.folder / "picket").native()));
  PICKET_TRY(check_replaceable(place.folder));
  // Written beside it and renamed: so the right to write is the parent's.
  if (::faccessat(AT_FDCWD, place.parent.c_str(), W_OK | X_OK, AT_EACCESS) != 0) return fail_errno(cat("write in ", place.parent.native()));
  return {};
}

Result<> write_repository(const std::vector<MetadataFile>& metadata, const std::vector<TargetCopy>& targets, const fs::path& folder) {
  PICKET_TRY(check_export_folder(folder));
  PICKET_LET(place, place_of(folder));
  const auto fresh = place.parent / cat(".", place.folder.filename().native(), ".new");
  std::error_code error;
  fs::remove_all(fresh, error);  // of a killed one
  auto done = fill(metadata, targets, fresh);
  if (done) done = replace_folder(fresh, place.folder);
  if (!done) fs::remove_all(fresh, error);
  return done;
}

}  // namespace picket::trust
