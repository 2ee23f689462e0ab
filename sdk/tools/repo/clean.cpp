// Removing what nobody can ask for any more.
#include <set>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

#include "repo/edit.hpp"
#include "repo/packed.hpp"
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

// Where a target lies, as published and as staged.
void note_targets(const Document& document, std::set<std::string, std::less<>>& published, std::set<std::string, std::less<>>* staged) {
  for (const auto& release : offered_in(document)) {
    if (const auto sha256 = release.hashes.find("sha256"); sha256 != release.hashes.end()) published.insert(trust::consistent_target_path(release.path, sha256->second));
    if (staged) staged->insert(release.path);
  }
}

Result<> remove_unused(const fs::path& folder, const std::set<std::string, std::less<>>& used, UnixTime before, Cleaned& out) {
  std::error_code why;
  for (fs::recursive_directory_iterator entry(folder, why), end; !why && entry != end; entry.increment(why)) {
    if (!entry->is_regular_file(why) || used.contains(entry->path().lexically_relative(folder).native())) continue;
    PICKET_TRY(remove_old(entry->path(), before, out));
  }
  if (why) return fail_errno(cat("read ", folder.native()), why.value());
  return {};
}

}  // namespace

Result<Cleaned> clean(Workspace& workspace, UnixTime before) {
  if (!workspace.published("timestamp")) return fail(Code::conflict, "nothing is published yet");
  std::set<std::string, std::less<>> used_metadata, used_targets, used_staged;
  std::vector<std::string> roles = workspace.components();
  for (const char* role : {"timestamp", "snapshot", "targets"}) roles.emplace_back(role);
  for (const auto& role : roles) {
    if (const auto* document = workspace.published(role)) {
      used_metadata.insert(document->file_name());
      used_metadata.insert(packed_name(document->file_name()));
      if (!is_top_level(role)) note_targets(*document, used_targets, nullptr);
    }
    if (const auto* document = workspace.staged(role); document && !is_top_level(role)) note_targets(*document, used_targets, &used_staged);
  }
  Cleaned out;
  std::error_code why;
  for (fs::directory_iterator entry(workspace.metadata_folder(), why), end; !why && entry != end; entry.increment(why)) {
    const std::string name = entry->path().filename().native();
    if (!entry->is_regular_file(why) || name.ends_with(".root.json") || used_metadata.contains(name)) continue;
    PICKET_TRY(remove_old(entry->path(), before, out));
  }
  if (why) return fail_errno(cat("read ", workspace.metadata_folder().native()), why.value());
  PICKET_TRY(remove_unused(workspace.targets_folder(), used_targets, before, out));
  PICKET_TRY(remove_unused(workspace.staged_folder() / "targets", used_staged, before, out));
  // What a killed publish leaves behind. The lock is ours, so nobody is using it.
  fs::remove_all(workspace.metadata_folder().parent_path() / ".metadata.next", why);
  for (fs::directory_iterator entry(workspace.folder(), why), end; !why && entry != end; entry.increment(why))
    if (entry->path().filename().native().starts_with(".check-")) fs::remove_all(entry->path(), why);
  return out;
}

}  // namespace picket::repo
