// Removing what nobody can ask for any more.
#include <set>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

#include "repo/edit.hpp"
#include "repo/publish.hpp"
#include "trust/release.hpp"

namespace picket::repo {

namespace {

namespace fs = std::filesystem;

// Clients that began before the last publish may still read the older files: only what has lain there long enough goes.
Result<> remove_old(const fs::path& file, UnixTime before, Cleaned& out) {
  struct stat info {};
  if (::lstat(file.c_str(), &info) != 0) return fail_errno(cat("stat ", file.native()));
  if (info.st_ctime >= before) return {};
  if (::unlink(file.c_str()) != 0) return fail_errno(cat("remove ", file.native()));
  ++out.files;
  out.bytes += static_cast<std::uint64_t>(info.st_size);
  return {};
}

}  // namespace

Result<Cleaned> clean(Workspace& workspace, UnixTime before) {
  if (!workspace.published("timestamp")) return fail(Code::conflict, "nothing is published yet");
  std::set<std::string, std::less<>> used_metadata, used_targets;
  std::vector<std::string> roles = workspace.components();
  for (const char* role : {"timestamp", "snapshot", "targets"}) roles.emplace_back(role);
  for (const auto& role : roles) {
    const auto* document = workspace.published(role);
    if (!document) continue;
    used_metadata.insert(document->file_name());
    if (is_top_level(role)) continue;
    for (const auto& release : releases_in(*document)) used_targets.insert(trust::consistent_target_path(release.path, release.hashes.at("sha256")));
    if (const auto* staged = workspace.staged(role))
      for (const auto& release : releases_in(*staged)) used_targets.insert(trust::consistent_target_path(release.path, release.hashes.at("sha256")));
  }
  Cleaned out;
  std::error_code why;
  for (fs::directory_iterator entry(workspace.metadata_folder(), why), end; !why && entry != end; entry.increment(why)) {
    const std::string name = entry->path().filename().native();
    if (!entry->is_regular_file() || name.ends_with(".root.json") || used_metadata.contains(name)) continue;
    PICKET_TRY(remove_old(entry->path(), before, out));
  }
  if (why) return fail_errno(cat("read ", workspace.metadata_folder().native()), why.value());
  for (fs::recursive_directory_iterator entry(workspace.targets_folder(), why), end; !why && entry != end; entry.increment(why)) {
    if (!entry->is_regular_file() || used_targets.contains(entry->path().lexically_relative(workspace.targets_folder()).native())) continue;
    PICKET_TRY(remove_old(entry->path(), before, out));
  }
  if (why) return fail_errno(cat("read ", workspace.targets_folder().native()), why.value());
  return out;
}

}  // namespace picket::repo
