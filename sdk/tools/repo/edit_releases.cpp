// Releases of components.
#include <algorithm>
#include <system_error>
#include <tuple>

#include <boost/json/array.hpp>

#include "repo/candidate.hpp"
#include "repo/archive.hpp"
#include "repo/deltas.hpp"
#include "repo/edit.hpp"

namespace picket::repo {

namespace {

// A target of this size is at the edge of what one file of metadata should promise; more is surely a mistake.
constexpr std::uint64_t max_target = 1ull << 40;

// The delegation of a new component: by its own keys, or by those of targets.
Result<> delegate(Workspace& workspace, const std::string& component, const std::vector<trust::PublicKey>& own_keys) {
  PICKET_LET(targets, workspace.edit("targets"));
  std::vector<trust::PublicKey> role_keys = own_keys;
  if (role_keys.empty()) {
    PICKET_LET(authority, workspace.authority("targets"));
    for (const auto& keyid : authority.role.keyids)
      if (const auto key = authority.keys.find(keyid); key != authority.keys.end()) role_keys.push_back(key->second);
  }
  if (!targets.body.contains("delegations")) targets.body["delegations"] = json::object{{"keys", json::object()}, {"roles", json::array()}};
  auto& delegations = targets.body.at("delegations").as_object();
  if (!delegations.contains("roles")) return fail(Code::unsupported, "targets.json delegates to hash bins: components cannot be added to it");
  json::array keyids;
  for (const auto& key : role_keys) {
    const auto keyid = key.key_id();
    keyids.emplace_back(keyid);
    delegations.at("keys").as_object()[keyid] = key.to_json();
  }
  delegations.at("roles").as_array().push_back(json::object{{"name", component},
                                                            {"keyids", std::move(keyids)},
                                                            {"threshold", 1},
                                                            {"terminating", true},
                                                            {"paths", json::array{trust::component_pattern(component)}}});
  return workspace.stage(std::move(targets));
}

std::vector<std::string> drop_old(json::object& targets, const Document& document, std::string_view variant, std::size_t keep) {
  auto releases = releases_in(document);
  std::erase_if(releases, [&](const auto& each) { return each.variant != variant; });
  std::vector<std::string> dropped;
  for (std::size_t i = 0; i + keep < releases.size(); ++i) {
    targets.erase(releases[i].path);
    dropped.push_back(releases[i].path);
  }
  return dropped;
}

std::vector<trust::Target> targets_in(const Document& document) {
  std::vector<trust::Target> out;
  auto parsed = trust::Metadata<trust::Targets>::parse(document.to_bytes());
  if (!parsed) return out;
  for (auto& [path, file] : parsed->body.targets) out.push_back({path, document.role, std::move(file)});
  return out;
}

}  // namespace

std::vector<trust::Delta> deltas_in(const Document& document) {
  std::vector<trust::Delta> out;
  for (const auto& target : targets_in(document))
    if (auto delta = trust::parse_delta(target)) out.push_back(std::move(*delta));
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return std::tie(a.variant, a.release, a.base) < std::tie(b.variant, b.release, b.base); });
  return out;
}

std::vector<Offered> offered_in(const Document& document) {
  std::vector<Offered> out;
  for (auto& release : releases_in(document)) out.push_back({release.path, release.length, release.hashes, release});
  for (auto& delta : deltas_in(document)) out.push_back({delta.path, delta.length, delta.hashes, std::nullopt});
  return out;
}

std::vector<trust::Release> releases_in(const Document& document) {
  std::vector<trust::Release> out;
  for (auto& target : targets_in(document))
    if (auto release = trust::parse_release(target)) out.push_back(std::move(*release));
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return std::tie(a.variant, a.release) < std::tie(b.variant, b.release); });
  return out;
}

Result<Added> add_release(Workspace& workspace, const NewRelease& wanted, Progress& progress) {
  PICKET_TRY(trust::check_component_name(wanted.component));
  if (!workspace.current("targets")) return fail(Code::not_found, "there is no targets role: run picket-repo init");
  Added out;
  auto& release = out.release;
  release.component = wanted.component;
  release.variant = wanted.variant;
  release.release = wanted.release;
  release.version = wanted.version.empty() ? std::to_string(wanted.release) : wanted.version;
  release.published = workspace.now();
  release.cls = "databases";
  release.minimum_agent = "0.1.0";

  const auto components = workspace.components();
  out.is_new_component = std::find(components.begin(), components.end(), wanted.component) == components.end();
  if (!out.is_new_component && !wanted.keys.empty())
    return fail(Code::conflict, cat(wanted.component, " has its keys already: change them with picket-repo role keys"));
  if (const auto* document = workspace.current(wanted.component)) {
    for (const auto& old : releases_in(*document)) {
      if (!wanted.cls.empty() && old.cls != wanted.cls) return fail(Code::conflict, cat(wanted.component, " is of class ", old.cls, ", not ", wanted.cls));
      release.cls = old.cls;
      release.minimum_agent = old.minimum_agent;
      if (old.variant == wanted.variant && old.release >= wanted.release)
        return fail(Code::conflict, cat("release ", std::to_string(wanted.release), " of ", wanted.component, " ", wanted.variant, " is not newer than release ",
                                        std::to_string(old.release), ", which is ", workspace.staged(wanted.component) ? "staged or published" : "published"));
    }
  }
  if (!wanted.cls.empty()) release.cls = wanted.cls;
  if (!wanted.minimum_agent.empty()) release.minimum_agent = wanted.minimum_agent;
  if (!is_ascii(release.version)) return fail(Code::invalid, cat("version \"", release.version, "\" may hold ASCII only"));

  std::error_code why;
  const bool is_folder = std::filesystem::is_directory(wanted.source, why);
  if (!is_folder && !std::filesystem::exists(wanted.source, why)) return fail(Code::not_found, cat(wanted.source.native(), ": no such file or folder"));
  release.format = is_folder ? "tar.zst" : "file";
  if (!is_folder) {
    release.name = wanted.source.filename().native();
    if (!is_ascii(release.name)) return fail(Code::invalid, cat("file name \"", release.name, "\" may hold ASCII only"));
  }
  release.path = trust::release_path(release);
  {
    // All that can be wrong with what was asked is said before anything is packed.
    auto trial = release;
    trial.content_sha256.assign(64, '0');
    trial.files = 1;
    PICKET_TRY(trust::check_release(trial));
  }
  const auto staged_file = workspace.staged_target(release.path);
  auto packed = is_folder ? pack_folder(wanted.source, staged_file, wanted.level, progress) : pack_file(wanted.source, staged_file, progress);
  if (!packed) return fail(std::move(packed).error());
  if (packed->length > max_target) return fail(Code::too_large, cat(wanted.source.native(), ": too large"));
  release.length = packed->length;
  release.hashes = {{"sha256", packed->sha256}};
  release.content_length = packed->content_length;
  release.content_sha256 = packed->content_sha256;
  release.files = packed->files;
  release.unpacked = packed->unpacked;

  if (out.is_new_component) PICKET_TRY(delegate(workspace, wanted.component, wanted.keys));
  auto document = Document::make(wanted.component, workspace.expiry_of(wanted.component));
  document.body["targets"] = json::object();
  if (workspace.current(wanted.component)) {
    PICKET_LET(known, workspace.edit(wanted.component));
    document = std::move(known);
  }
  auto& targets = document.body.at("targets").as_object();
  targets[release.path] = json::object{{"length", static_cast<std::int64_t>(release.length)},
                                       {"hashes", json::object{{"sha256", packed->sha256}}},
                                       {"custom", trust::release_custom(release)}};
  if (wanted.keep) out.dropped = drop_old(targets, document, wanted.variant, *wanted.keep);
  const auto count = wanted.deltas.value_or(workspace.settings().deltas);
  PICKET_LET(deltas, add_deltas(workspace, document, release, count, wanted.on_delta));
  out.deltas = std::move(deltas);
  drop_deltas(document, release, count);
  PICKET_TRY(workspace.stage(std::move(document)));
  return out;
}

}  // namespace picket::repo
