#include "repo/workspace.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "trust/json.hpp"
#include "trust/release.hpp"

namespace picket::repo {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t max_metadata = 64u << 20;  // own files: generous, the client's limits are checked when publishing
constexpr std::string_view settings_file = "picket-repo.json";
constexpr std::int64_t max_hours = 24 * 366 * 50, max_deltas = 64;

Result<UniqueFd> take_lock(const fs::path& folder) {
  const auto path = folder / ".lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return fail_errno(cat("open ", path.native()));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK) return fail(Code::busy, cat("another picket-repo is working in ", folder.native()));
  return fail_errno(cat("lock ", path.native()));
}

Authority top_level_authority(const trust::Root& root, std::string_view role) {
  const auto& keys = role == "root" ? root.root : role == "timestamp" ? root.timestamp : role == "snapshot" ? root.snapshot : root.targets;
  return {keys, root.keys};
}

Result<trust::Root> typed_root(const Document& document) {
  PICKET_LET(parsed, trust::Metadata<trust::Root>::parse(document.to_bytes()));
  return std::move(parsed.body);
}

}  // namespace

Settings Settings::defaults() {
  return {{{"root", 365 * 24}, {"targets", 365 * 24}, {"component", 180 * 24}, {"snapshot", 30 * 24}, {"timestamp", 7 * 24}}, 4};
}

std::int64_t Settings::hours_of(std::string_view role) const {
  const auto own = expiry_hours.find(role);
  if (own != expiry_hours.end()) return own->second;
  return expiry_hours.find("component")->second;
}

Result<Settings> Settings::parse(std::string_view text) {
  PICKET_LET(value, trust::parse_strict(text));
  auto out = defaults();
  const auto* object = value.if_object();
  const auto* hours = object ? object->if_contains("expiry_hours") : nullptr;
  if (!hours || !hours->is_object()) return fail(Code::invalid, "must be an object with an object \"expiry_hours\"");
  for (const auto& [name, number] : hours->get_object()) {
    const auto* found = number.if_int64();
    if (!found || *found < 1 || *found > max_hours) return fail(Code::invalid, cat("expiry_hours.", std::string_view(name), " must be 1 to ", std::to_string(max_hours)));
    out.expiry_hours[std::string(name)] = *found;
  }
  if (const auto* deltas = object->if_contains("deltas")) {
    const auto* found = deltas->if_int64();
    if (!found || *found < 0 || *found > max_deltas) return fail(Code::invalid, cat("deltas must be 0 to ", std::to_string(max_deltas)));
    out.deltas = static_cast<std::size_t>(*found);
  }
  return out;
}

std::string Settings::to_json() const {
  json::object hours;
  for (const auto& [name, value] : expiry_hours) hours[name] = value;
  return json::serialize(json::object{{"schema", "picket.repo/1"}, {"expiry_hours", std::move(hours)}, {"deltas", static_cast<std::int64_t>(deltas)}}) + "\n";
}

Result<Workspace> Workspace::create(fs::path folder, UnixTime now) {
  if (::access((folder / settings_file).c_str(), F_OK) == 0) return fail(Code::conflict, cat(folder.native(), " is a publisher's folder already"));
  Workspace out;
  out.folder_ = std::move(folder);
  out.now_ = now;
  out.settings_ = Settings::defaults();
  PICKET_TRY(make_folders(out.folder_));
  PICKET_LET(lock, take_lock(out.folder_));
  out.lock_ = std::move(lock);
  PICKET_TRY(make_folders(out.keys_folder(), 0700));
  for (const auto& each : {out.staged_folder() / "targets", out.metadata_folder(), out.targets_folder()}) PICKET_TRY(make_folders(each));
  PICKET_TRY(out.load_published());  // an older copy of the repository may lie there already
  PICKET_TRY(out.load_staged(true));
  return out;
}

Result<Workspace> Workspace::open(fs::path folder, UnixTime now, Access access) {
  Workspace out;
  out.folder_ = std::move(folder);
  out.now_ = now;
  auto text = read_file(out.folder_ / settings_file, 1u << 20);
  if (!text && text.error().code == Code::not_found)
    return fail(Code::not_found, cat(out.folder_.native(), " is not a publisher's folder (no ", settings_file, "): make one with picket-repo init, or name it with --repo"));
  if (!text) return fail(std::move(text).error());
  auto settings = Settings::parse(*text);
  if (!settings) return fail(std::move(settings).error(), (out.folder_ / settings_file).native());
  out.settings_ = std::move(*settings);
  if (access == Access::write) {
    PICKET_LET(lock, take_lock(out.folder_));
    out.lock_ = std::move(lock);
    for (const auto& each : {out.staged_folder(), out.metadata_folder()}) remove_leftovers(each);
  }
  PICKET_TRY(out.load_published());
  PICKET_TRY(out.load_staged(access == Access::write));
  return out;
}

Result<> Workspace::save_settings() const { return write_file_atomic(folder_ / settings_file, settings_.to_json()); }

Result<> Workspace::add_published(std::string_view role, std::int64_t version) {
  const auto name = cat(trust::encode_role(role), ".json");
  const auto path = metadata_folder() / (version == 0 ? name : cat(std::to_string(version), ".", name));
  PICKET_LET(bytes, read_file(path, max_metadata));
  auto document = Document::parse(role, bytes);
  if (!document) return fail(std::move(document).error(), path.native());
  published_.insert_or_assign(std::string(role), std::move(*document));
  return {};
}

Result<> Workspace::load_published() {
  std::int64_t root_version = 0;
  while (::access((metadata_folder() / cat(std::to_string(root_version + 1), ".root.json")).c_str(), F_OK) == 0) ++root_version;
  if (root_version == 0) return {};  // nothing was published yet
  PICKET_TRY(add_published("root", root_version));
  auto timestamp = add_published("timestamp", 0);
  if (!timestamp && timestamp.error().code == Code::not_found) {
    published_.clear();  // the very first publish was cut short before anybody could use it
    return {};
  }
  PICKET_TRY(timestamp);
  const auto& snapshot_meta = published("timestamp")->body.at("meta").as_object().at("snapshot.json").as_object();
  PICKET_TRY(add_published("snapshot", snapshot_meta.at("version").as_int64()));
  for (const auto& [name, meta] : published("snapshot")->body.at("meta").as_object()) {
    auto role = std::string(name);
    if (role.ends_with(".json")) role.resize(role.size() - 5);
    if (role != "targets" && !trust::check_component_name(role)) continue;  // tolerated, not ours
    PICKET_TRY(add_published(role, meta.as_object().at("version").as_int64()));
  }
  return {};
}

Result<> Workspace::load_staged(bool tidy) {
  std::error_code why;
  for (fs::directory_iterator entry(staged_folder(), why), end; !why && entry != end; entry.increment(why)) {
    const std::string name = entry->path().filename().native();
    if (name.front() == '.' || !name.ends_with(".json")) continue;
    const auto role = name.substr(0, name.size() - 5);
    if (role != "root" && role != "targets") {
      auto good = trust::check_component_name(role);
      if (!good) return fail(std::move(good).error(), entry->path().native());
    }
    PICKET_LET(bytes, read_file(entry->path(), max_metadata));
    auto document = Document::parse(role, bytes);
    if (!document) return fail(std::move(document).error(), entry->path().native());
    if (const auto* old = published(role); old && document->version() <= old->version()) {
      // A publish that was cut short after its last step leaves the staged file behind.
      if (document->signed_bytes() != old->signed_bytes())
        return fail(Code::conflict, cat(entry->path().native(), " is version ", std::to_string(document->version()), ", but version ",
                                        std::to_string(old->version()), " is published: stage the change again after removing this file"));
      if (tidy) PICKET_TRY(remove_file(entry->path()));
      continue;
    }
    staged_.insert_or_assign(role, std::move(*document));
  }
  if (why) return fail_errno(cat("read ", staged_folder().native()), why.value());
  return {};
}

const Document* Workspace::find(const Documents& documents, std::string_view role) {
  const auto found = documents.find(role);
  return found == documents.end() ? nullptr : &found->second;
}

const Document* Workspace::current(std::string_view role) const {
  const auto* found = staged(role);
  return found ? found : published(role);
}

std::vector<const Document*> Workspace::all_staged() const {
  std::vector<const Document*> out;
  for (const auto& [role, document] : staged_) out.push_back(&document);
  // root, targets, then components: the order in which one explains the next
  const auto rank = [](const Document* d) { return d->role == "root" ? 0 : d->role == "targets" ? 1 : 2; };
  std::stable_sort(out.begin(), out.end(), [&](const auto* a, const auto* b) { return rank(a) < rank(b); });
  return out;
}

std::vector<std::string> Workspace::components() const {
  std::vector<std::string> out;
  const auto* targets = current("targets");
  const auto* delegations = targets ? targets->body.if_contains("delegations") : nullptr;
  if (!delegations) return out;
  const auto* roles = delegations->as_object().if_contains("roles");
  if (!roles) return out;
  for (const auto& role : roles->as_array()) out.emplace_back(role.as_object().at("name").as_string());
  return out;
}

Result<Document> Workspace::edit(std::string_view role) const {
  const auto* from = current(role);
  if (!from) return fail(Code::not_found, cat("there is no role ", role));
  auto out = *from;
  if (!staged(role)) out.set_version(out.version() + 1);
  out.signatures.clear();
  out.set_expires(expiry_of(role));
  return out;
}

Result<fs::path> Workspace::find_target(std::string_view path, std::string_view sha256) const {
  for (auto& place : {targets_folder() / trust::consistent_target_path(path, sha256), staged_target(path)})
    if (::access(place.c_str(), R_OK) == 0) return place;
  return fail(Code::not_found, cat("the file of target ", path, " is missing: neither staged nor published"));
}

Result<> Workspace::stage(Document document) {
  PICKET_TRY(write_file_atomic(staged_folder() / cat(document.role, ".json"), document.to_bytes()));
  auto role = document.role;
  staged_.insert_or_assign(std::move(role), std::move(document));
  return {};
}

Result<> Workspace::unstage(std::string_view role) {
  PICKET_TRY(remove_file(staged_folder() / cat(role, ".json")));
  if (const auto found = staged_.find(role); found != staged_.end()) staged_.erase(found);
  return {};
}

Result<Authority> Workspace::authority(std::string_view role) const {
  if (is_top_level(role)) {
    const auto* document = current("root");
    if (!document) return fail(Code::not_found, "there is no root: run picket-repo init");
    PICKET_LET(root, typed_root(*document));
    return top_level_authority(root, role);
  }
  const auto* document = current("targets");
  if (document) {
    PICKET_LET(targets, trust::Metadata<trust::Targets>::parse(document->to_bytes()));
    if (targets.body.delegations)
      for (const auto& delegated : targets.body.delegations->roles)
        if (delegated.name == role) return Authority{delegated.keys, targets.body.delegations->keys};
  }
  return fail(Code::not_found, cat("there is no role or component ", role));
}

std::optional<Authority> Workspace::previous_root_authority() const {
  const auto* document = published("root");
  if (!document) return std::nullopt;
  auto root = typed_root(*document);
  if (!root) return std::nullopt;
  return top_level_authority(*root, "root");
}

}  // namespace picket::repo
