// init, clean and discard.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>

#include <unistd.h>

#include "base/listed.hpp"
#include "base/progress.hpp"
#include "repo/edit.hpp"
#include "repo/publish.hpp"
#include "repo/session.hpp"

namespace picket::repo {

namespace {

Result<trust::PublicKey> named_or_file(const KeyStore& keys, const std::string& what) {
  if (what.ends_with(".json")) return read_public_key(what);
  PICKET_LET(info, keys.find(what));
  return std::move(info.key);
}

// "root=alice" or "root=stick/alice.pub.json"
Result<std::map<std::string, std::string>> parse_assignments(const std::vector<std::string>& given) {
  std::map<std::string, std::string> out;
  for (const auto& each : given) {
    const auto equals = each.find('=');
    const auto role = each.substr(0, equals);
    if (equals == each.npos || !is_top_level(role) || equals + 1 == each.size())
      return fail(Code::invalid, cat("--key ", each, ": must be like root=NAME, with root, targets, snapshot or timestamp"));
    if (!out.emplace(role, each.substr(equals + 1)).second) return fail(Code::invalid, cat("--key ", each, ": ", role, " is given twice (more keys: picket-repo role keys add)"));
  }
  return out;
}

Result<> init(const Options& options) {
  PICKET_LET(assigned, parse_assignments(options.all("key")));
  PICKET_LET(now, time_of(options));
  PICKET_LET(workspace, Workspace::create(repo_folder(options), now));
  if (workspace.published("root")) return fail(Code::conflict, cat(workspace.metadata_folder().native(), " holds a published repository already"));
  PICKET_LET(keys, open_keys(options));
  const char* passphrase = std::getenv("PICKET_KEY_PASSPHRASE");
  std::vector<trust::PublicKey> role_keys;
  std::vector<std::string> made;
  for (const std::string role : {"root", "targets", "snapshot", "timestamp"}) {
    if (const auto given = assigned.find(role); given != assigned.end()) {
      PICKET_LET(key, named_or_file(keys, given->second));
      role_keys.push_back(std::move(key));
    } else if (auto known = keys.find(role)) {
      role_keys.push_back(std::move(known->key));  // of an init that was cut short
    } else {
      PICKET_LET(key, trust::PrivateKey::generate(options.get("type", "ed25519")));
      PICKET_TRY(write_key_pair(workspace.keys_folder(), role, key, passphrase ? passphrase : ""));
      role_keys.push_back(key.public_key());
      made.push_back(role);
    }
  }
  PICKET_TRY(stage_first(workspace, role_keys));
  PICKET_TRY(workspace.save_settings());  // last: it is what makes the folder a publisher's folder
  std::printf("Made %s with staged root and targets.\n", workspace.folder().c_str());
  if (!made.empty()) {
    std::printf("New keys in %s:", workspace.keys_folder().c_str());
    for (const auto& name : made) std::printf(" %s", name.c_str());
    std::printf("%s\n", passphrase && *passphrase ? " (encrypted)" : " (not encrypted: set PICKET_KEY_PASSPHRASE before init to encrypt them)");
  }
  std::printf("Next: picket-repo add, then sign, then publish. Keep the private keys of root and targets elsewhere, on a stick or a\n"
              "machine without network, and name them with --keys DIR when signing; back them up.\n");
  return {};
}

int run_init(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.value("type", "TYPE", "of the keys to make: ed25519 (default), ecdsa or rsa");
  options.list("key", "ROLE=KEY", "use this key (a name in a folder of keys, or a .pub.json file) instead of making one");
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, init(options));
}

Result<> run_clean(const Options& options) {
  PICKET_LET(hours, options.integer(options.get("older-than", "48"), 0, 24 * 3660, "--older-than"));
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::write));
  PICKET_LET(cleaned, clean(workspace, static_cast<UnixTime>(std::time(nullptr)) + 1 - 3600 * hours));
  std::printf("Removed %zu files, %s.\n", cleaned.files, human_bytes(cleaned.bytes).c_str());
  return {};
}

Result<> run_discard(const Options& options) {
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::write));
  PICKET_LET(roles, discard(workspace));
  std::printf("Thrown away: what was staged for %s. Keys and expiry times stay.\n", listed(roles).c_str());
  return {};
}

int run_discard_command(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, run_discard(options));
}

int run_clean_command(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  options.value("older-than", "HOURS", "only files that have been there so long (default 48: agents in the middle of an update still read them)");
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, run_clean(options));
}

}  // namespace

std::vector<Command> setup_commands() {
  return {
      {{"init", "", "Make a publisher's folder with keys and a first root. Every role begins with one key and threshold 1.",
        "  picket-repo init --repo /srv/picket\n"
        "  PICKET_KEY_PASSPHRASE=... picket-repo init --repo /srv/picket --type ecdsa\n"
        "  picket-repo init --repo /srv/picket --keys /media/stick --key root=alice --key targets=alice"},
       run_init},
      {{"clean", "", "Remove superseded metadata and unreferenced targets. All roots stay, for ever: old agents need them.",
        "  picket-repo clean --repo /srv/picket --older-than 24"},
       run_clean_command},
      {{"discard", "", "Throw away what is staged and not published: releases, changed roles, signatures. A new repository keeps its first root and targets.",
        "  picket-repo discard --repo /srv/picket"},
       run_discard_command},
  };
}

}  // namespace picket::repo
