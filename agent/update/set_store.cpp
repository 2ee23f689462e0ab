#include "update/set_store.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.hpp"
#include "base/files.hpp"

namespace picket::update {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr std::uint64_t kMaxInfo = 16 * 1024;

// The text, and its digest on a second line: a flipped bit must not become another release number.
std::string write_info(const SetInfo& info) {
  const auto text = json::serialize(json::object{
      {"component", info.component}, {"class", info.cls}, {"variant", info.variant}, {"version", info.version}, {"content_sha256", info.content_sha256},
      {"release", static_cast<std::int64_t>(info.release)}, {"published", info.published}, {"files", static_cast<std::int64_t>(info.files)},
      {"bytes", static_cast<std::int64_t>(info.bytes)}, {"tree", info.tree}});
  return cat(text, "\n", sha256_hex(text), "\n");
}

Result<SetInfo> read_info(std::string_view file) {
  const auto line = file.find('\n');
  if (line == file.npos || file.substr(line + 1) != cat(sha256_hex(file.substr(0, line)), "\n")) return fail(Code::untrusted, "damaged");
  json::error_code error;
  const auto document = json::parse(file.substr(0, line), error);
  if (error || !document.is_object()) return fail(Code::untrusted, "damaged");
  const auto& object = document.get_object();
  auto text = [&](std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  auto number = [&](std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_int64() ? value->get_int64() : std::int64_t{0};
  };
  SetInfo info{text("component"), text("class"), text("variant"), text("version"), text("content_sha256"), static_cast<std::uint64_t>(number("release")),
               number("published"), static_cast<std::uint64_t>(number("files")), static_cast<std::uint64_t>(number("bytes")), text("tree")};
  if (info.component.empty() || info.release == 0) return fail(Code::untrusted, "incomplete");
  return info;
}

bool is_there(const fs::path& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

std::vector<fs::directory_entry> entries_of(const fs::path& folder) {
  std::vector<fs::directory_entry> out;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) out.push_back(*at);
  return out;
}

}  // namespace

std::string SetInfo::name() const { return cat(std::to_string(release), "-", variant, "-", std::string_view(content_sha256).substr(0, 8)); }

void remove_tree(const fs::path& folder) {
  std::error_code error;
  ::chmod(folder.c_str(), 0755);  // fails harmlessly on what is no folder
  for (fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, error), end; !error && at != end; at.increment(error))
    if (at->symlink_status(error).type() == fs::file_type::directory) ::chmod(at->path().c_str(), 0755);
  fs::remove_all(folder, error);
}

Result<SetStore> SetStore::open(Folders folders, Steps steps) {
  PICKET_LET(shared, SharedFiles::open(folders.shared, steps));
  SetStore store(std::move(folders), std::move(shared), std::move(steps));
  PICKET_TRY(make_folders(store.sets_));
  PICKET_TRY(store.clean());
  store.sweep();
  return store;
}

Result<> SetStore::clean() {
  remove_tree(staging_);
  PICKET_TRY(make_folders(staging_, 0755));
  for (const auto& component : entries_of(sets_)) {
    for (const auto& entry : entries_of(component.path())) {
      const auto name = entry.path().filename().native();
      if (name == "current" && entry.is_symlink()) continue;  // a copy that follows links makes a folder of it
      const bool is_info = entry.path().extension() == ".json";
      auto other = entry.path();
      if (is_info) other.replace_extension(); else other += ".json";
      if (name.front() != '.' && is_there(other)) continue;
      if (entry.symlink_status().type() == fs::file_type::directory) PICKET_TRY(discard(entry.path()));
      else PICKET_TRY(remove_file(entry.path()));
    }
  }
  return {};
}

Result<> SetStore::discard(const fs::path& folder) {
  // Out of sight first: a half-removed folder never looks like a set.
  const auto away = staging_ / cat("removed-", folder.filename().native());
  remove_tree(away);
  steps_("set.discard");
  if (::rename(folder.c_str(), away.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(cat("remove ", folder.native()));
  }
  remove_tree(away);
  return {};
}

Result<SetInfo> SetStore::info(std::string_view component, std::string_view set) const {
  const auto folder = path_of(component, set);
  if (set.empty() || !is_there(folder)) return fail(Code::not_found, cat("set ", component, "/", set, " is not there"));
  auto file = read_file(cat(folder.native(), ".json"), kMaxInfo);
  if (!file) return fail(std::move(file).error());
  auto info = read_info(*file);
  if (!info) return fail(std::move(info).error(), cat(folder.native(), ".json"));
  if (info->name() != set || info->component != component) return fail(Code::untrusted, cat(folder.native(), ".json: is about another set"));
  return info;
}

std::vector<SetInfo> SetStore::list(std::string_view component) const {
  std::vector<SetInfo> out;
  for (const auto& entry : entries_of(sets_ / component))
    if (entry.path().extension() == ".json")
      if (auto found = info(component, entry.path().stem().native())) out.push_back(std::move(*found));
  std::ranges::sort(out, [](const auto& a, const auto& b) { return a.release != b.release ? a.release > b.release : a.name() < b.name(); });
  return out;
}

std::vector<std::string> SetStore::components() const {
  std::vector<std::string> out;
  for (const auto& entry : entries_of(sets_))
    if (entry.symlink_status().type() == fs::file_type::directory) out.push_back(entry.path().filename().native());
  return out;
}

std::optional<SetInfo> SetStore::with_content(std::string_view content_sha256) const {
  const auto ending = cat("-", content_sha256.substr(0, 8), ".json");
  for (const auto& component : components())
    for (const auto& entry : entries_of(sets_ / component)) {
      const auto name = entry.path().filename().native();
      if (!name.ends_with(ending)) continue;
      if (auto found = info(component, name.substr(0, name.size() - 5)); found && found->content_sha256 == content_sha256) return std::move(*found);
    }
  return std::nullopt;
}

Result<fs::path> SetStore::new_staging(std::string_view component) {
  drop_staging(component);
  const auto folder = staging_ / component;
  steps_("staging.new");
  PICKET_TRY(make_folders(folder, 0755));
  return folder;
}

void SetStore::drop_staging(std::string_view component) { remove_tree(staging_ / component); }

Result<Tree> SetStore::settle(const fs::path& staged, const core::CancelToken& cancel) {
  return tree_digest(staged, cancel, [&](const fs::path& file, std::string_view sha256) { return shared_.settle(file, sha256, cancel); });
}

// A file that several sets share is damaged in all of them at once: the other names are given to the file that replaced it.
std::size_t SetStore::heal(const fs::path& damaged, const fs::path& whole) {
  std::map<std::pair<dev_t, ino_t>, fs::path> repaired;
  std::error_code error;
  for (fs::recursive_directory_iterator at(damaged, error), end; !error && at != end; at.increment(error)) {
    struct stat was {}, now {};
    const auto fresh = whole / at->path().native().substr(damaged.native().size() + 1);
    if (::lstat(at->path().c_str(), &was) != 0 || !S_ISREG(was.st_mode) || was.st_nlink < 2) continue;
    if (::lstat(fresh.c_str(), &now) == 0 && S_ISREG(now.st_mode) && now.st_ino != was.st_ino) repaired.emplace(std::pair(was.st_dev, was.st_ino), fresh);
  }
  if (repaired.empty()) return 0;
  std::size_t count = 0;
  for (const auto& component : entries_of(sets_))
    for (fs::recursive_directory_iterator at(component.path(), error), end; !error && at != end; at.increment(error)) {
      struct stat info {};
      if (::lstat(at->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
      const auto found = repaired.find({info.st_dev, info.st_ino});
      const bool is_of_the_damaged = at->path().native().starts_with(cat(damaged.native(), "/"));  // which goes as a whole
      if (found != repaired.end() && !is_of_the_damaged && shared_.lend(found->second, at->path())) ++count;
    }
  return count;
}

Result<std::size_t> SetStore::adopt(const SetInfo& info) {
  const auto folder = path_of(info.component, info.name());
  const auto staged = staging_ / info.component;
  PICKET_TRY(make_folders(folder.parent_path()));
  if (auto known = this->info(info.component, info.name()); known) {
    if (verify(*known, {})) {
      drop_staging(info.component);
      return 0;
    }
  }
  // The description first: a description without a folder is as much rubbish as a folder without one.
  steps_("set.describe");
  PICKET_TRY(write_file_atomic(cat(folder.native(), ".json"), write_info(info)));
  steps_("set.rename");
  PICKET_TRY(sync_folder(staged));
  std::size_t healed = 0;
  if (is_there(folder)) {
    healed = heal(folder, staged);
    // Damaged, and perhaps in force: exchanged in one step, so that the link never points at nothing.
    if (::renameat2(AT_FDCWD, staged.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) != 0) {
      PICKET_TRY(discard(folder));  // a file system that cannot exchange
      if (::rename(staged.c_str(), folder.c_str()) != 0) return fail_errno(cat("move the staged files to ", folder.native()));
    }
    drop_staging(info.component);
  } else if (::rename(staged.c_str(), folder.c_str()) != 0) {
    return fail_errno(cat("move the staged files to ", folder.native()));
  }
  if (::chmod(folder.c_str(), 0555) != 0) return fail_errno(cat("set mode of ", folder.native()));
  PICKET_TRY(sync_folder(folder.parent_path()));
  return healed;
}

Result<> SetStore::verify(const SetInfo& info, const core::CancelToken& cancel) const {
  auto tree = tree_digest(path_of(info.component, info.name()), cancel);
  if (!tree) return fail(std::move(tree).error(), cat("set ", info.name()));
  if (tree->files != info.files || tree->bytes != info.bytes || tree->digest != info.tree) return fail(Code::untrusted, cat("set ", info.name(), ": its files are damaged on disk"));
  return {};
}

Result<> SetStore::remove(std::string_view component, std::string_view set) {
  const auto folder = path_of(component, set);
  steps_("set.remove");
  PICKET_TRY(remove_file(cat(folder.native(), ".json")));
  return discard(folder);
}

Result<> SetStore::point_current(std::string_view component, std::string_view set) {
  const auto link = sets_ / component / "current";
  if (set.empty()) {
    steps_("current.remove");
    return remove_file(link);
  }
  const auto fresh = sets_ / component / ".current.new";
  (void)::unlink(fresh.c_str());
  steps_("current.prepare");
  if (::symlink(std::string(set).c_str(), fresh.c_str()) != 0) return fail_errno(cat("create ", fresh.native()));
  steps_("current.rename");
  if (::rename(fresh.c_str(), link.c_str()) != 0) return fail_errno(cat("switch ", link.native()));
  steps_("current.sync");
  return sync_folder(link.parent_path());
}

std::string SetStore::current(std::string_view component) const {
  std::error_code error;
  const auto target = fs::read_symlink(sets_ / component / "current", error);
  return error || target.has_parent_path() ? std::string() : target.native();
}

}  // namespace picket::update
