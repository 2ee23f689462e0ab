// add, sign, publish, timestamp.
#include <cstdio>

#include "base/progress.hpp"
#include "repo/edit.hpp"
#include "repo/publish.hpp"
#include "repo/session.hpp"
#include "repo/sign.hpp"

namespace picket::repo {

namespace {

Result<trust::PublicKey> find_key(const KeyStore& keys, const std::string& what) {
  if (what.ends_with(".json")) return read_public_key(what);
  PICKET_LET(info, keys.find(what));
  return std::move(info.key);
}

Result<> add(const Options& options) {
  NewRelease wanted;
  wanted.component = options.get("component");
  wanted.variant = options.get("variant", "full");
  PICKET_LET(number, options.integer(options.get("release"), 1, 1'000'000'000'000'000, "--release"));
  wanted.release = number;
  wanted.version = options.get("version");
  wanted.cls = options.get("class");
  wanted.minimum_agent = options.get("minimum-agent");
  PICKET_LET(level, options.integer(options.get("level", "19"), 1, 19, "--level"));
  wanted.level = static_cast<int>(level);
  if (options.has("keep")) {
    PICKET_LET(keep, options.integer(options.get("keep"), 1, 100000, "--keep"));
    wanted.keep = static_cast<std::size_t>(keep);
  }
  if (options.has("deltas")) {
    PICKET_LET(deltas, options.integer(options.get("deltas"), 0, 64, "--deltas"));
    wanted.deltas = static_cast<std::size_t>(deltas);
  }
  wanted.on_delta = [](const DeltaNews& news) {
    if (news.skipped.empty())
      std::printf("Delta from release %lld: %s (%s).\n", static_cast<long long>(news.delta.base), human_bytes(news.delta.length).c_str(), news.delta.method.c_str());
    else
      std::printf("No delta from release %lld: %s.\n", static_cast<long long>(news.delta.base), news.skipped.c_str());
    std::fflush(stdout);
  };
  wanted.source = options.positionals().front();
  if (!wanted.source.has_filename()) wanted.source = wanted.source.parent_path();  // "rules/" is "rules"
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::write));
  if (options.has("key")) {
    PICKET_LET(keys, open_keys(options));
    for (const auto& each : options.all("key")) {
      PICKET_LET(key, find_key(keys, each));
      wanted.keys.push_back(std::move(key));
    }
  }
  Progress progress(cat("pack ", wanted.component, " ", wanted.variant));
  PICKET_LET(added, add_release(workspace, wanted, progress));
  const auto& release = added.release;
  std::printf("Staged %s: %llu file%s, %s, as %s.\n", release.path.c_str(), static_cast<unsigned long long>(release.files), release.files == 1 ? "" : "s",
              human_bytes(release.unpacked).c_str(), human_bytes(release.length).c_str());
  if (added.is_new_component) std::printf("New component %s: targets.json delegates to it, and has to be signed again.\n", release.component.c_str());
  for (const auto& path : added.dropped) std::printf("No longer offered: %s\n", path.c_str());
  if (wanted.keep == 1 && !added.dropped.empty() && wanted.deltas.value_or(workspace.settings().deltas) > 0)
    std::printf("No deltas: --keep 1 leaves no earlier release to start them from, and agents fetch the whole; --keep 2 or more lets them fetch what changed.\n");
  return {};
}

int run_add(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.required("component", "NAME", "what is updated: a-z 0-9 -")
      .required("release", "N", "a number greater than any before; the variants of one release share it")
      .value("variant", "full|light", "default: full")
      .value("version", "TEXT", "for people (default: the number)")
      .value("class", "CLASS", "databases (default), agent or application: when agents install it")
      .value("minimum-agent", "X.Y.Z", "older agents keep what they have (default: as the release before, else 0.1.0)")
      .value("level", "1..19", "of compression of a folder (default 19)")
      .value("keep", "N", "offer only the N newest releases of this variant; deltas start from those")
      .value("deltas", "N", "make deltas from the N releases before (default: \"deltas\" in picket-repo.json, 4); 0: none")
      .list("key", "KEY", "of a new component: who signs it (a name or a .pub.json file; default: the keys of targets); may be given again")
      .positional("PATH", 1, 1);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, add(options));
}

Result<> sign(const Options& options) {
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::write));
  if (workspace.all_staged().empty()) return fail(Code::conflict, "nothing is staged");
  PICKET_LET(keys, open_keys(options));
  PICKET_LET(report, sign_staged(workspace, keys, options.all("role"), options.all("key")));
  for (const auto& each : report.added) std::printf("%s: signed by %s\n", each.role.c_str(), each.key.c_str());
  for (const auto& each : report.missing) std::printf("Still missing: %s\n", each.c_str());
  if (report.missing.empty()) std::printf("All that is staged is signed: picket-repo publish\n");
  return {};
}

int run_sign(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.list("role", "ROLE", "only this role or component; may be given again").list("key", "NAME", "only with this key; may be given again").positional("", 0, 0);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, sign(options));
}

Result<> publish_with(const Options& options, bool online_only) {
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::write));
  PICKET_LET(keys, open_keys(options));
  PublishOptions how;
  how.online_only = online_only;
  Progress progress("check");
  PICKET_LET(report, publish(workspace, keys, how, progress));
  if (!report.warning.empty()) std::fprintf(stderr, "picket-repo: warning: %s\n", report.warning.c_str());
  std::string versions;
  for (const auto& [role, version] : report.versions) versions += cat(versions.empty() ? "" : ", ", role, " ", std::to_string(version));
  std::printf("Published %s.\n", versions.c_str());
  for (const auto& path : report.targets) std::printf("New target: %s\n", path.c_str());
  if (online_only && !workspace.all_staged().empty()) std::printf("What is staged stays staged.\n");
  return {};
}

int run_publish(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.positional("", 0, 0);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, publish_with(options, false));
}

int run_timestamp(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.positional("", 0, 0);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, publish_with(options, true));
}

}  // namespace

std::vector<Command> content_commands() {
  return {
      {{"add", "PATH", "Stage a release of a component from a folder or a single file. A folder becomes a tar, compressed with zstd: the same folder gives the same bytes.",
        "  picket-repo add --component yara-rules --variant full --release 12 --version 2026.05.31 rules/\n"
        "  picket-repo add --component yara-rules --variant light --release 12 --keep 5 rules-light/\n"
        "  picket-repo add --component my-app --class application --release 3 --key vendor my-app.bin"},
       run_add},
      {{"sign", "", "Sign what is staged, with the private keys that are here. With thresholds, each signer runs it in turn.",
        "  picket-repo sign --repo /srv/picket\n  picket-repo sign --repo /srv/picket --keys /media/stick --role root"},
       run_sign},
      {{"publish", "", "Publish what is staged. First it is tried with the agent's own client; what that would refuse is not published.",
        "  picket-repo publish --repo /srv/picket"},
       run_publish},
      {{"timestamp", "", "Renew the timestamp, and the snapshot when it is past half of its life: for cron.",
        "  17 * * * *  picket-repo timestamp --repo /srv/picket"},
       run_timestamp},
  };
}

}  // namespace picket::repo
