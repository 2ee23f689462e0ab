// role list, keys add|remove, threshold, expiry, renew.
#include <algorithm>
#include <cstdio>

#include <boost/json/array.hpp>

#include "repo/edit.hpp"
#include "repo/session.hpp"

namespace picket::repo {

namespace {

std::vector<std::string> all_roles(const Workspace& workspace) {
  std::vector<std::string> out{"root", "targets", "snapshot", "timestamp"};
  for (auto& component : workspace.components()) out.push_back(std::move(component));
  return out;
}

Result<> list_roles(const Options& options) {
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::read));
  PICKET_LET(keys, open_keys(options));
  json::array out;
  for (const auto& role : all_roles(workspace)) {
    PICKET_LET(authority, workspace.authority(role));
    json::array ids;
    std::string names;
    for (const auto& keyid : authority.role.keyids) {
      ids.push_back(json::object{{"keyid", keyid}, {"name", keys.by_id(keyid) ? json::value(keys.name_of(keyid)) : json::value(nullptr)}});
      names += cat(names.empty() ? "" : ", ", keys.name_of(keyid));
    }
    const auto hours = workspace.settings().hours_of(role);
    if (!options.has("json"))
      std::printf("%-20s %lld of %zu  valid for %lld h  %s\n", role.c_str(), static_cast<long long>(authority.role.threshold), authority.role.keyids.size(),
                  static_cast<long long>(hours), names.c_str());
    out.push_back(json::object{{"role", role}, {"threshold", authority.role.threshold}, {"keys", std::move(ids)}, {"expiry_hours", hours}});
  }
  if (options.has("json")) print_json(json::object{{"schema", "picket.repo.roles/1"}, {"roles", std::move(out)}});
  return {};
}

void tell_staged(const Workspace& workspace) {
  std::string names;
  for (const auto* document : workspace.all_staged()) names += cat(names.empty() ? "" : ", ", document->role);
  if (!names.empty()) std::printf("Staged: %s. Next: picket-repo sign, then publish.\n", names.c_str());
}

Result<> add_key(const Options& options) {
  const auto& role = options.positionals()[0];
  const auto& what = options.positionals()[1];
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::write));
  if (what.ends_with(".json")) {
    PICKET_LET(key, read_public_key(what));
    PICKET_TRY(add_role_key(workspace, role, key));
  } else {
    PICKET_LET(keys, open_keys(options));
    PICKET_LET(info, keys.find(what));
    PICKET_TRY(add_role_key(workspace, role, info.key));
  }
  tell_staged(workspace);
  return {};
}

// Components begin with the keys of targets: whoever takes away a stolen one has to hear where it still counts.
Result<> tell_of_others(const Workspace& workspace, const std::string& keyid) {
  std::string names;
  for (const auto& role : all_roles(workspace)) {
    PICKET_LET(authority, workspace.authority(role));
    const auto& ids = authority.role.keyids;
    if (std::find(ids.begin(), ids.end(), keyid) != ids.end()) names += cat(names.empty() ? "" : ", ", role);
  }
  if (!names.empty()) std::printf("This key may still sign: %s.\n", names.c_str());
  return {};
}

Result<> remove_key(const Options& options) {
  const auto& role = options.positionals()[0];
  const auto& what = options.positionals()[1];
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::write));
  PICKET_LET(authority, workspace.authority(role));
  // The key may be lost and known by its id alone.
  std::string keyid;
  for (const auto& each : authority.role.keyids)
    if (what.size() >= 8 && each.starts_with(what)) keyid = each;
  if (keyid.empty()) {
    PICKET_LET(keys, open_keys(options));
    PICKET_LET(info, keys.find(what));
    keyid = info.keyid;
  }
  PICKET_TRY(remove_role_key(workspace, role, keyid));
  tell_staged(workspace);
  return tell_of_others(workspace, keyid);
}

Result<> threshold(const Options& options) {
  PICKET_LET(number, options.integer(options.positionals()[1], 1, 64, "the threshold"));
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::write));
  PICKET_TRY(set_threshold(workspace, options.positionals()[0], number));
  tell_staged(workspace);
  return {};
}

// "90", "90d" or "36h"
Result<std::int64_t> to_hours(const Options& options, std::string_view text) {
  const bool hours = text.ends_with('h');
  if (hours || text.ends_with('d')) text.remove_suffix(1);
  PICKET_LET(number, options.integer(text, 1, hours ? 24 * 3660 : 3660, "the time"));
  return hours ? number : 24 * number;
}

Result<> expiry(const Options& options) {
  PICKET_LET(hours, to_hours(options, options.positionals()[1]));
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::write));
  PICKET_TRY(set_expiry(workspace, options.positionals()[0], hours));
  tell_staged(workspace);
  return {};
}

Result<> renew_roles(const Options& options) {
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::write));
  for (const auto& role : options.positionals()) PICKET_TRY(renew(workspace, role));
  tell_staged(workspace);
  return {};
}

int run_list_roles(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.flag("json", "as JSON (picket.repo.roles/1)").positional("", 0, 0);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, list_roles(options));
}

template <Result<> (*action)(const Options&)>
int run_two(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.positional(text.arguments, 2, 2);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, action(options));
}

int run_renew(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  options.positional("ROLE", 1, 1000);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, renew_roles(options));
}

}  // namespace

std::vector<Command> role_commands() {
  return {
      {{"role list", "", "List the roles: their keys, thresholds and how long new metadata is valid.", "  picket-repo role list --repo /srv/picket"}, run_list_roles},
      {{"role keys add", "ROLE KEY", "Let a further key sign a role. KEY is a name, the first digits of an id, or a .pub.json file.",
        "  picket-repo role keys add root bob\n  picket-repo role keys add yara-rules /media/stick/carol.pub.json"},
       run_two<add_key>},
      {{"role keys remove", "ROLE KEY", "Let a key sign a role no more. What it signed is staged again when too few signatures remain.",
        "  picket-repo role keys remove timestamp old-timestamp"},
       run_two<remove_key>},
      {{"role threshold", "ROLE N", "How many keys must sign a role.", "  picket-repo role threshold root 2"}, run_two<threshold>},
      {{"role expiry", "ROLE TIME", "How long new metadata of a role is valid: days (90 or 90d) or hours (36h). ROLE may be component: all without a time of their own.",
        "  picket-repo role expiry timestamp 36h\n  picket-repo role expiry component 90"},
       run_two<expiry>},
      {{"role renew", "ROLE...", "Stage roles again with a new expiry and no other change.", "  picket-repo role renew root targets yara-rules"}, run_renew},
  };
}

}  // namespace picket::repo
