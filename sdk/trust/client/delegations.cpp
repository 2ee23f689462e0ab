// 5.6: targets, and the search through what it delegates.
#include "trust/client/client_impl.hpp"

namespace picket::trust {

// All checks of a targets role, top-level or delegated: the same ones (CVE-2026-6967).
Result<Metadata<Targets>> ClientImpl::check_targets(std::string_view name, std::string_view bytes, const MetaFile& expected, const RoleKeys& role_keys,
                                                    const KeyMap& keys) {
  PICKET_TRY(verify_file(name, bytes, expected));
  PICKET_LET(metadata, parse_and_verify<Targets>(name, bytes, role_keys, keys));
  if (metadata.version != expected.version)
    return fail(Code::untrusted, cat(name, " has version ", std::to_string(metadata.version), ", snapshot says ", std::to_string(expected.version)));
  PICKET_TRY(check_expiry(name, metadata));
  return std::move(metadata);
}

Result<Metadata<Targets>> ClientImpl::get_targets(std::string_view name, const RoleKeys& role_keys, const KeyMap& keys) {
  PICKET_TRY(Store::check_name(name));
  const auto file = snapshot_.body.meta.find(cat(name, ".json"));
  if (file == snapshot_.body.meta.end()) return fail(Code::untrusted, cat("snapshot does not list ", name, ".json"));
  const auto& expected = file->second;
  PICKET_LET(limit, limit_of(expected, options_.limits.targets_bytes));

  auto stored_bytes = store_.read(name, std::max(limit, options_.limits.targets_bytes));
  if (!stored_bytes) {
    event(cat("stored ", name, " cannot be used: ", stored_bytes.error().message));
  } else if (*stored_bytes) {
    auto checked = check_targets(name, **stored_bytes, expected, role_keys, keys);
    if (checked || !online_) return checked;
    // An older version is the usual case. The right length with the wrong content is not.
    if (checked.error().code == Code::invalid || (expected.length && expected.length == (*stored_bytes)->size()))
      event(cat("stored ", name, " cannot be used: ", checked.error().message));
  }
  if (!online_) return fail(Code::not_found, cat(name, " version ", std::to_string(expected.version), " is not stored"));

  PICKET_LET(bytes, fetch(name, root_.body.consistent_snapshot ? std::optional(expected.version) : std::nullopt, limit));
  auto checked = check_targets(name, bytes, expected, role_keys, keys);
  if (!checked) return checked;
  PICKET_TRY(store_.keep(name, std::move(bytes)));
  if (checked->body.delegations) tell_odd_key_ids(name, checked->body.delegations->keys);
  return checked;
}

Result<const Metadata<Targets>*> ClientImpl::targets_role(std::string_view name, std::string_view delegator, const RoleKeys& role_keys, const KeyMap& keys) {
  auto known = roles_.find(name);
  if (known == roles_.end()) {
    PICKET_LET(metadata, get_targets(name, role_keys, keys));
    known = roles_.emplace(std::string(name), Role{std::move(metadata), {}}).first;
    if (name == "targets") {  // only root delegates to it: nobody will check its signatures again
      known->second.metadata.signed_bytes = {};
    }
  } else if (!known->second.delegators.contains(delegator)) {
    PICKET_TRY(verify_threshold(name, role_keys, keys, known->second.metadata.signed_bytes, known->second.metadata.signatures));
  }
  known->second.delegators.emplace(delegator);
  return &known->second.metadata;
}

// Pre-order, depth-first, in the order of the delegators' lists. An error ends it: going on to later roles would let whoever can keep
// one file back choose which role answers.
Result<std::optional<Target>> ClientImpl::find_target(std::string_view path) {
  PICKET_TRY(check_ready());
  PICKET_TRY(check_target_path(path));
  auto found = search(path);
  PICKET_TRY(keep());
  return found;
}

Result<std::optional<Target>> ClientImpl::search(std::string_view path) {
  struct Visit {
    std::string name, delegator;
    RoleKeys role_keys;
    const KeyMap* keys;  // of the delegator, which stays loaded
  };
  std::vector<Visit> to_visit;
  to_visit.push_back({"targets", "root", root_.body.targets, &root_.body.keys});
  std::set<std::string, std::less<>> visited;
  while (!to_visit.empty()) {
    const Visit visit = std::move(to_visit.back());
    to_visit.pop_back();
    if (visited.contains(visit.name)) continue;
    if (visited.size() > options_.limits.delegated_roles)
      return fail(Code::too_large, cat("the search for ", path, " met more than ", std::to_string(options_.limits.delegated_roles), " delegated roles"));
    PICKET_LET(role, targets_role(visit.name, visit.delegator, visit.role_keys, *visit.keys));
    visited.insert(visit.name);
    if (const auto found = role->body.targets.find(path); found != role->body.targets.end())
      return Target{std::string(path), visit.name, found->second};
    if (!role->body.delegations) continue;
    const auto& delegations = *role->body.delegations;
    if (delegations.succinct) {  // TAP 15 as python-tuf and go-tuf do it: terminating
      to_visit.clear();
      to_visit.push_back({delegations.succinct->bin_of(path), visit.name, delegations.succinct->keys, &delegations.keys});
      continue;
    }
    std::vector<Visit> children;
    for (const auto& delegated : delegations.roles) {
      if (!delegated.matches(path)) continue;
      children.push_back({delegated.name, visit.name, delegated.keys, &delegations.keys});
      if (delegated.terminating) {
        to_visit.clear();
        break;
      }
    }
    to_visit.insert(to_visit.end(), std::make_move_iterator(children.rbegin()), std::make_move_iterator(children.rend()));
  }
  return std::optional<Target>();
}

Result<std::vector<Target>> ClientImpl::targets_of(std::string_view name) {
  PICKET_TRY(check_ready());
  const auto& delegations = roles_.find("targets")->second.metadata.body.delegations;
  std::vector<Target> out;
  const auto collect = [&](const RoleKeys& role_keys, auto covers) -> Result<std::vector<Target>> {
    auto loaded = targets_role(name, "targets", role_keys, delegations->keys);
    PICKET_TRY(keep());
    // Whoever keeps the file back must not make it look as if nobody had signed anything.
    if (!loaded && loaded.error().code == Code::not_found) return fail(Code::conflict, cat("targets delegates to ", name, ", but ", loaded.error().message));
    PICKET_LET(role, std::move(loaded));
    for (const auto& [path, file] : role->body.targets)
      if (covers(path) && check_target_path(path)) out.push_back({path, std::string(name), file});
    return std::move(out);
  };
  if (delegations && delegations->succinct && delegations->succinct->is_bin(name))
    return collect(delegations->succinct->keys, [&](const std::string& path) { return delegations->succinct->bin_of(path) == name; });
  if (delegations)
    for (const auto& delegated : delegations->roles)
      if (delegated.name == name) return collect(delegated.keys, [&](const std::string& path) { return delegated.matches(path); });
  return fail(Code::not_found, cat("targets delegates to no role called ", name));
}

Result<std::vector<std::string>> ClientImpl::delegated_roles() const {
  PICKET_TRY(check_ready());
  std::vector<std::string> out;
  const auto& delegations = roles_.find("targets")->second.metadata.body.delegations;
  if (!delegations) return out;
  if (delegations->succinct) return fail(Code::unsupported, "targets delegates to hash bins: their names are not listed");
  for (const auto& delegated : delegations->roles) out.push_back(delegated.name);
  return out;
}

}  // namespace picket::trust
