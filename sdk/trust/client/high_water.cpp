#include "trust/client/high_water.hpp"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>

#include "trust/json.hpp"

namespace picket::trust {
namespace {

constexpr std::uint64_t kMostBytes = 8u << 20;

bool read_mark(const json::object& object, std::string_view name, std::int64_t& out) {
  const auto* value = object.if_contains(name);
  const auto* number = value == nullptr ? nullptr : value->if_int64();
  if (number == nullptr || *number < 0) return false;
  out = *number;
  return true;
}

bool read_keys(const json::object& object, std::string_view name, std::set<std::string>& out) {
  const auto* value = object.if_contains(name);
  const auto* array = value == nullptr ? nullptr : value->if_array();
  if (array == nullptr) return false;
  for (const auto& element : *array) {
    if (!element.is_string()) return false;
    out.emplace(element.get_string());
  }
  return true;
}

json::array to_json(const std::set<std::string>& keys) {
  json::array out;
  for (const auto& key : keys) out.emplace_back(key);
  return out;
}

}  // namespace

std::set<std::string> identities(const RoleKeys& role, const KeyMap& keys) {
  std::set<std::string> out;
  for (const auto& keyid : role.keyids)
    if (const auto key = keys.find(keyid); key != keys.end() && key->second.can_verify()) out.insert(sha256_hex(key->second.identity()));
  return out;
}

bool keys_were_removed(const std::set<std::string>& before, const std::set<std::string>& after) {
  return !std::includes(after.begin(), after.end(), before.begin(), before.end());
}

HighWater::HighWater(std::filesystem::path file, Disk& disk, const std::function<void(std::string_view)>& event) : path_(std::move(file)), disk_(disk) {
  if (path_.empty()) return;
  if (auto loaded = load(); !loaded && loaded.error().code != Code::not_found) {
    forget();
    event(cat("the marks of the versions seen are lost: ", loaded.error().message));
  }
}

Result<> HighWater::load() {
  PICKET_LET(bytes, disk_.read(path_, kMostBytes));
  auto value = parse_strict(bytes);
  if (!value) return fail(std::move(value).error(), path_.native());
  const auto* object = value->if_object();
  const auto* files = object == nullptr ? nullptr : object->if_contains("files");
  const auto bad = [&] { return fail(Code::invalid, cat(path_.native(), ": not a file of version marks")); };
  if (files == nullptr || !files->is_object() || !read_mark(*object, "root", root_) || !read_mark(*object, "timestamp", timestamp_) ||
      !read_mark(*object, "snapshot", snapshot_) || !read_keys(*object, "timestamp_keys", timestamp_keys_) ||
      !read_keys(*object, "snapshot_keys", snapshot_keys_))
    return bad();
  for (const auto& [name, version] : files->get_object()) {
    if (!version.is_int64() || version.get_int64() < 0) return bad();
    files_.emplace(name, version.get_int64());
  }
  return {};
}

std::optional<NewFile> HighWater::unsaved() const {
  if (!changed_ || path_.empty()) return std::nullopt;
  json::object files;
  for (const auto& [name, version] : files_) files.emplace(name, version);
  const json::value all = {{"root", root_},   {"timestamp", timestamp_}, {"snapshot", snapshot_}, {"timestamp_keys", to_json(timestamp_keys_)}, {"snapshot_keys", to_json(snapshot_keys_)},
                           {"files", files}};
  return NewFile{path_, canonical(all)};
}

void HighWater::raise(std::int64_t& mark, std::int64_t version) {
  if (version <= mark) return;
  mark = version;
  changed_ = true;
}

void HighWater::forget_online() {
  changed_ = changed_ || timestamp_ != 0 || snapshot_ != 0 || !files_.empty();
  timestamp_ = snapshot_ = 0;
  files_.clear();
}

void HighWater::forget_root() {
  changed_ = changed_ || root_ != 0;
  root_ = 0;
}

void HighWater::forget() {
  forget_online();
  forget_root();
  timestamp_keys_.clear();
  snapshot_keys_.clear();
}

void HighWater::use_keys_of(const Root& root) {
  auto timestamp_keys = identities(root.timestamp, root.keys), snapshot_keys = identities(root.snapshot, root.keys);
  if (keys_were_removed(timestamp_keys_, timestamp_keys) || keys_were_removed(snapshot_keys_, snapshot_keys)) forget_online();
  if (timestamp_keys == timestamp_keys_ && snapshot_keys == snapshot_keys_) return;
  timestamp_keys_ = std::move(timestamp_keys);
  snapshot_keys_ = std::move(snapshot_keys);
  changed_ = true;
}

void HighWater::saw_root(std::int64_t version) { raise(root_, version); }

void HighWater::saw(const Metadata<Timestamp>& timestamp) {
  raise(timestamp_, timestamp.version);
  raise(snapshot_, timestamp.body.snapshot.version);
}

void HighWater::saw(const Metadata<Snapshot>& snapshot) {
  for (const auto& [name, file] : snapshot.body.meta) {
    auto mark = files_.find(name);
    if (mark == files_.end()) mark = files_.emplace(name, 0).first;
    raise(mark->second, file.version);
  }
}

}  // namespace picket::trust
