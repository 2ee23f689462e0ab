// Root, thresholds and keys.
#include <algorithm>
#include <functional>
#include <set>

#include <boost/json/array.hpp>

#include "repo/edit.hpp"

namespace picket::repo {

namespace {

json::object role_object(const std::vector<std::string>& keyids, std::int64_t threshold) {
  return {{"keyids", json::array(keyids.begin(), keyids.end())}, {"threshold", threshold}};
}

json::object no_delegations() { return {{"keys", json::object()}, {"roles", json::array()}}; }

// The object of `role` with keyids and threshold, inside a root or targets document. Shapes were checked when it was parsed.
json::object* find_role(Document& document, std::string_view role) {
  if (document.role == "root") return document.body.at("roles").as_object().at(role).if_object();
  auto* delegations = document.body.if_contains("delegations");
  auto* roles = delegations ? delegations->as_object().if_contains("roles") : nullptr;
  if (!roles) return nullptr;
  for (auto& each : roles->as_array())
    if (each.as_object().at("name").as_string() == role) return each.if_object();
  return nullptr;
}

json::object& keys_of(Document& document) {
  return document.role == "root" ? document.body.at("keys").as_object() : document.body.at("delegations").as_object().at("keys").as_object();
}

// A key that no role uses any more goes.
void prune_keys(Document& document) {
  std::set<std::string, std::less<>> used;
  const auto collect = [&](const json::object& role) {
    for (const auto& keyid : role.at("keyids").as_array()) used.insert(std::string(keyid.as_string()));
  };
  if (document.role == "root") {
    for (const auto& [name, role] : document.body.at("roles").as_object()) collect(role.as_object());
  } else {
    for (const auto& role : document.body.at("delegations").as_object().at("roles").as_array()) collect(role.as_object());
  }
  auto& keys = keys_of(document);
  std::vector<std::string> unused;
  for (const auto& [keyid, key] : keys)
    if (!used.contains(std::string_view(keyid))) unused.emplace_back(keyid);
  for (const auto& keyid : unused) keys.erase(keyid);
}

Result<> change_role(Workspace& workspace, std::string_view role, const std::function<Result<>(json::object& role, json::object& keys)>& change) {
  const std::string_view holder = is_top_level(role) ? "root" : "targets";
  PICKET_LET(document, workspace.edit(holder));
  auto* found = find_role(document, role);
  if (!found) return fail(Code::not_found, cat("there is no role or component ", role));
  PICKET_TRY(change(*found, keys_of(document)));
  prune_keys(document);
  PICKET_TRY(workspace.stage(std::move(document)));
  if (role == "root" || role == "snapshot" || role == "timestamp") return {};  // made anew at every publish, or staged just now
  const auto* own = workspace.published(role);
  if (!own || workspace.staged(role)) return {};
  PICKET_LET(authority, workspace.authority(role));
  if (own->is_signed_enough(authority)) return {};
  return renew(workspace, role);
}

}  // namespace

Result<> stage_first(Workspace& workspace, const std::vector<trust::PublicKey>& given) {
  auto root = Document::make("root", workspace.expiry_of("root"));
  constexpr std::string_view roles[] = {"root", "targets", "snapshot", "timestamp"};
  json::object keys, role_objects;
  for (std::size_t i = 0; i < std::size(roles); ++i) {
    const auto keyid = given.at(i).key_id();
    keys[keyid] = given[i].to_json();
    role_objects[roles[i]] = role_object({keyid}, 1);
  }
  root.body["consistent_snapshot"] = true;
  root.body["keys"] = std::move(keys);
  root.body["roles"] = std::move(role_objects);
  auto targets = Document::make("targets", workspace.expiry_of("targets"));
  targets.body["targets"] = json::object();
  targets.body["delegations"] = no_delegations();
  PICKET_TRY(workspace.stage(std::move(root)));
  return workspace.stage(std::move(targets));
}

Result<std::vector<std::string>> discard(Workspace& workspace) {
  const bool is_first = workspace.published("root") == nullptr;
  std::vector<std::string> staged, out;
  for (const auto* document : workspace.all_staged()) staged.insert(staged.begin(), document->role);
  // Components first: cut short, targets.json names one that is missing, which nobody can publish.
  for (auto& role : staged) {
    if (is_first && role == "root") continue;
    if (is_first && role == "targets") {
      if (workspace.components().empty()) continue;
      PICKET_LET(targets, workspace.edit(role));
      targets.body["delegations"] = no_delegations();
      PICKET_TRY(workspace.stage(std::move(targets)));
    } else {
      PICKET_TRY(workspace.unstage(role));
    }
    out.push_back(std::move(role));
  }
  if (out.empty()) return fail(Code::conflict, is_first ? "nothing is staged but the first root and targets" : "nothing is staged");
  std::error_code why;
  const auto files = workspace.staged_folder() / "targets";
  std::filesystem::remove_all(files, why);
  if (!why) std::filesystem::create_directory(files, why);
  if (why) return fail_errno(cat("remove ", files.native()), why.value());
  return out;
}

Result<> add_role_key(Workspace& workspace, std::string_view role, const trust::PublicKey& key) {
  PICKET_LET(authority, workspace.authority(role));
  for (const auto& keyid : authority.role.keyids) {
    const auto known = authority.keys.find(keyid);
    if (known != authority.keys.end() && known->second.identity() == key.identity()) return fail(Code::conflict, cat("this key is a key of ", role, " already"));
  }
  return change_role(workspace, role, [&](json::object& object, json::object& keys) -> Result<> {
    const auto keyid = key.key_id();
    object.at("keyids").as_array().emplace_back(keyid);
    keys[keyid] = key.to_json();
    return {};
  });
}

Result<> remove_role_key(Workspace& workspace, std::string_view role, std::string_view keyid) {
  return change_role(workspace, role, [&](json::object& object, json::object&) -> Result<> {
    auto& keyids = object.at("keyids").as_array();
    const auto found = std::find_if(keyids.begin(), keyids.end(), [&](const auto& each) { return each.as_string() == keyid; });
    if (found == keyids.end()) return fail(Code::not_found, cat("this key is not a key of ", role));
    const auto threshold = object.at("threshold").as_int64();
    if (static_cast<std::int64_t>(keyids.size()) - 1 < threshold)
      return fail(Code::conflict, cat(role, " needs ", std::to_string(threshold), " keys and would have ", std::to_string(keyids.size() - 1),
                                      " left: add another key first, or lower the threshold"));
    keyids.erase(found);
    return {};
  });
}

Result<> set_threshold(Workspace& workspace, std::string_view role, std::int64_t threshold) {
  return change_role(workspace, role, [&](json::object& object, json::object&) -> Result<> {
    const auto count = object.at("keyids").as_array().size();
    if (threshold < 1 || threshold > static_cast<std::int64_t>(count))
      return fail(Code::invalid, cat("the threshold of ", role, " must be 1 to ", std::to_string(count), ", the number of its keys, not ", std::to_string(threshold)));
    object["threshold"] = threshold;
    return {};
  });
}

Result<> set_expiry(Workspace& workspace, std::string_view role, std::int64_t hours) {
  if (role != "component" && !workspace.current(role) && role != "snapshot" && role != "timestamp")
    return fail(Code::not_found, cat("there is no role or component ", role));
  workspace.settings().expiry_hours[std::string(role)] = hours;
  PICKET_TRY(workspace.save_settings());
  if (role == "component" || role == "snapshot" || role == "timestamp") return {};
  return renew(workspace, role);
}

Result<> renew(Workspace& workspace, std::string_view role) {
  if (role == "snapshot" || role == "timestamp") return fail(Code::invalid, cat(role, " is renewed by picket-repo timestamp and by every publish"));
  PICKET_LET(document, workspace.edit(role));
  return workspace.stage(std::move(document));
}

}  // namespace picket::repo
