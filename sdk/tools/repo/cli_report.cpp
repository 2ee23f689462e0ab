// status, show, verify.
#include <algorithm>
#include <cstdio>

#include <boost/json/array.hpp>

#include "base/files.hpp"
#include "base/progress.hpp"
#include "repo/edit.hpp"
#include "repo/publish.hpp"
#include "repo/session.hpp"
#include "repo/verify.hpp"

namespace picket::repo {

namespace {

constexpr UnixTime soon = 14 * 24 * 3600;

std::string in_words(UnixTime seconds) {
  const auto ago = seconds < 0;
  const auto value = ago ? -seconds : seconds;
  const auto text = value >= 2 * 86400  ? cat(std::to_string(value / 86400), " days")
                    : value >= 2 * 3600 ? cat(std::to_string(value / 3600), " hours")
                                        : cat(std::to_string(value / 60), " minutes");
  return ago ? cat("EXPIRED ", text, " ago") : cat("expires in ", text);
}

struct Advice {
  std::vector<std::string> lines;
  void add(std::string line) {
    if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(std::move(line));
  }
};

void advise(const Workspace& workspace, const std::vector<std::string>& roles, const std::vector<std::string>& missing, Advice& advice) {
  for (const auto& each : missing) advice.add(cat("picket-repo sign: ", each));
  if (missing.empty() && !workspace.all_staged().empty()) advice.add("picket-repo publish: all that is staged is signed");
  for (const auto& role : roles) {
    const auto* document = workspace.published(role);
    if (!document || workspace.staged(role)) continue;
    const auto left = document->expires() - workspace.now();
    const auto life = 3600 * workspace.settings().hours_of(role);
    if (role == "timestamp" || role == "snapshot") {
      if (2 * left < life) advice.add(cat("picket-repo timestamp: ", role, " ", in_words(left)));
    } else if (left < std::min(soon, life / 2)) {
      advice.add(cat("picket-repo role renew ", role, ", then sign and publish: it ", in_words(left)));
    }
  }
  if (advice.lines.empty()) advice.add(workspace.published("timestamp") ? "nothing" : "picket-repo add, then sign and publish");
}

Result<> status(const Options& options) {
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::read));
  PICKET_LET(keys, open_keys(options));
  std::vector<std::string> roles{"root", "targets", "snapshot", "timestamp"};
  for (auto& component : workspace.components()) roles.push_back(std::move(component));
  const auto missing = missing_signatures(workspace, keys);
  Advice advice;
  advise(workspace, roles, missing, advice);
  json::array out;
  if (!options.has("json")) std::printf("%-20s %9s %7s  %s\n", "ROLE", "PUBLISHED", "STAGED", "EXPIRY, SIGNATURES");
  for (const auto& role : roles) {
    const auto* published = workspace.published(role);
    const auto* staged = workspace.staged(role);
    const auto* current = staged ? staged : published;
    const auto version_of = [](const Document* document) { return document ? json::value(document->version()) : json::value(nullptr); };
    json::object row{{"role", role}, {"published", version_of(published)}, {"staged", version_of(staged)}};
    std::string notes, what;
    if (current) {
      PICKET_LET(authority, workspace.authority(role));
      const auto signers = current->signers(authority);
      row["expires"] = trust::format_time(current->expires());
      row["signatures"] = static_cast<std::int64_t>(signers.size());
      row["threshold"] = authority.role.threshold;
      if (!is_top_level(role)) {
        const auto releases = releases_in(*current).size(), deltas = deltas_in(*current).size();
        row["releases"] = static_cast<std::int64_t>(releases);
        row["deltas"] = static_cast<std::int64_t>(deltas);
        what = cat(", ", std::to_string(releases), releases == 1 ? " release, " : " releases, ", std::to_string(deltas), deltas == 1 ? " delta" : " deltas");
      }
      notes = cat(in_words(current->expires() - workspace.now()), ", signed by ", std::to_string(signers.size()), " of ", std::to_string(authority.role.threshold), " needed", what);
    }
    if (!options.has("json"))
      std::printf("%-20s %9s %7s  %s\n", role.c_str(), published ? std::to_string(published->version()).c_str() : "-",
                  staged ? std::to_string(staged->version()).c_str() : "-", notes.c_str());
    out.push_back(std::move(row));
  }
  if (options.has("json")) {
    print_json(json::object{{"schema", "picket.repo.status/1"},
                            {"roles", std::move(out)},
                            {"missing", json::array(missing.begin(), missing.end())},
                            {"next", json::array(advice.lines.begin(), advice.lines.end())}});
    return {};
  }
  std::printf("\nNext:\n");
  for (const auto& line : advice.lines) std::printf("  %s\n", line.c_str());
  return {};
}

json::object to_json(const trust::Release& release, std::string_view state) {
  return {{"component", release.component},
          {"class", release.cls},
          {"variant", release.variant},
          {"release", release.release},
          {"version", release.version},
          {"published", trust::format_time(release.published)},
          {"path", release.path},
          {"length", static_cast<std::int64_t>(release.length)},
          {"unpacked", static_cast<std::int64_t>(release.unpacked)},
          {"files", static_cast<std::int64_t>(release.files)},
          {"minimum_agent", release.minimum_agent},
          {"state", state}};
}

json::object to_json(const trust::Delta& delta, std::string_view state) {
  return {{"component", delta.component}, {"variant", delta.variant}, {"release", delta.release}, {"base", delta.base},
          {"method", delta.method}, {"path", delta.path}, {"length", static_cast<std::int64_t>(delta.length)}, {"state", state}};
}

Result<> show(const Options& options) {
  PICKET_LET(workspace, open_workspace(options, Workspace::Access::read));
  auto components = workspace.components();
  if (!options.positionals().empty()) {
    const auto& wanted = options.positionals().front();
    if (std::find(components.begin(), components.end(), wanted) == components.end()) return fail(Code::not_found, cat("there is no component ", wanted));
    components = {wanted};
  }
  const bool as_json = options.has("json");
  json::array out, deltas_out;
  if (!as_json && !components.empty())
    std::printf("%-20s %-7s %8s  %-20s %-20s %10s %10s %6s  %s\n", "COMPONENT", "VARIANT", "RELEASE", "VERSION", "PUBLISHED", "DOWNLOAD", "UNPACKED", "FILES", "STATE");
  for (const auto& component : components) {
    const auto* current = workspace.current(component);
    if (!current) continue;
    std::vector<std::string> known;
    if (const auto* published = workspace.published(component))
      for (const auto& offered : offered_in(*published)) known.push_back(offered.path);
    const auto state_of = [&](const std::string& path) -> std::string_view {
      return std::find(known.begin(), known.end(), path) != known.end() ? "published" : "staged";
    };
    const auto deltas = deltas_in(*current);
    for (const auto& delta : deltas) deltas_out.push_back(to_json(delta, state_of(delta.path)));
    for (const auto& release : releases_in(*current)) {
      const auto state = state_of(release.path);
      if (as_json) {
        out.push_back(to_json(release, state));
        continue;
      }
      std::printf("%-20s %-7s %8lld  %-20s %-20s %10s %10s %6llu  %.*s\n", component.c_str(), release.variant.c_str(),
                  static_cast<long long>(release.release), release.version.c_str(), trust::format_time(release.published).c_str(),
                  human_bytes(release.length).c_str(), human_bytes(release.unpacked).c_str(),
                  static_cast<unsigned long long>(release.files), static_cast<int>(state.size()), state.data());
      for (const auto& delta : deltas)
        if (delta.variant == release.variant && delta.release == release.release)
          std::printf("%-20s %-7s %8s  %-20s %-20s %10s %10s %6s  %s\n", "", "", "", cat("delta from ", std::to_string(delta.base)).c_str(), delta.method.c_str(),
                      human_bytes(delta.length).c_str(), "", "", std::string(state_of(delta.path)).c_str());
    }
  }
  if (as_json) print_json(json::object{{"schema", "picket.repo.releases/1"}, {"releases", std::move(out)}, {"deltas", std::move(deltas_out)}});
  if (!as_json && components.empty()) std::printf("No components yet: picket-repo add\n");
  return {};
}

Result<> verify(const Options& options) {
  const auto folder = options.positionals().empty() ? repo_folder(options) / "repository" : std::filesystem::path(options.positionals().front());
  PICKET_LET(now, time_of(options));
  const auto root_file = options.has("root") ? std::filesystem::path(options.get("root")) : folder / "metadata" / "1.root.json";
  auto root = read_file(root_file, 512'000);
  if (!root && root.error().code == Code::not_found && !options.has("root")) return fail(Code::not_found, cat(folder.native(), " holds no repository (no metadata/1.root.json)"));
  if (!root) return fail(std::move(root).error());
  Progress progress("verify");
  PICKET_LET(found, verify_repository(folder, *root, now, !options.has("metadata-only"), progress));
  if (options.has("json")) {
    json::array releases, deltas;
    for (const auto& release : found.releases) releases.push_back(to_json(release, "published"));
    for (const auto& delta : found.deltas) deltas.push_back(to_json(delta, "published"));
    print_json(json::object{{"schema", "picket.repo.verify/1"},
                            {"good", found.problems.empty()},
                            {"root", found.versions.root},
                            {"timestamp", found.versions.timestamp},
                            {"snapshot", found.versions.snapshot},
                            {"targets", found.versions.targets},
                            {"expires", trust::format_time(found.versions.timestamp_expires)},
                            {"releases", std::move(releases)},
                            {"deltas", std::move(deltas)},
                            {"packed_metadata", found.packed},
                            {"problems", json::array(found.problems.begin(), found.problems.end())}});
  } else {
    for (const auto& problem : found.problems) std::fprintf(stderr, "Problem: %s\n", problem.c_str());
  }
  if (const auto bad = found.problems.size(); bad > 0) return fail(Code::untrusted, cat(std::to_string(bad), bad == 1 ? " file" : " files", " of this repository cannot be used"));
  if (!options.has("json")) {
    std::printf("Good: root %lld, timestamp %lld, snapshot %lld, targets %lld, %zu releases, %zu deltas, %s%s. The timestamp %s.\n", static_cast<long long>(found.versions.root),
                static_cast<long long>(found.versions.timestamp), static_cast<long long>(found.versions.snapshot), static_cast<long long>(found.versions.targets),
                found.releases.size(), found.deltas.size(), human_bytes(found.bytes).c_str(), options.has("metadata-only") ? " (not read)" : "",
                in_words(found.versions.timestamp_expires - now).c_str());
    if (found.packed == 0) std::printf("No metadata lie packed here (NAME.json.gz): over http and ftp agents pay about three times their bytes. picket-repo timestamp packs those of a publisher.\n");
  }
  return {};
}

int run_status(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  add_keys(options);
  options.flag("json", "as JSON (picket.repo.status/1)").positional("", 0, 0);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, status(options));
}

int run_show(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  options.flag("json", "as JSON (picket.repo.releases/1)").positional("COMPONENT", 0, 1);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, show(options));
}

int run_verify(const CommandText& text, const Arguments& arguments) {
  Options options(text);
  add_common(options);
  options.value("root", "FILE", "begin from this root, as an agent does (default: metadata/1.root.json of the repository itself)")
      .flag("metadata-only", "do not read the targets, only check that they are there")
      .flag("json", "as JSON (picket.repo.verify/1)")
      .positional("FOLDER", 0, 1);
  if (const auto end = options.parse(arguments)) return *end;
  return finish(options, verify(options));
}

}  // namespace

std::vector<Command> report_commands() {
  return {
      {{"status", "", "Tell what is staged, what expires when, which signatures are missing, and what to do next.", "  picket-repo status --repo /srv/picket"}, run_status},
      {{"show", "[COMPONENT]", "Show the releases, published and staged.",
        "  picket-repo show --repo /srv/picket yara-rules\n  picket-repo show --json | jq '.releases[-1]'"},
       run_show},
      {{"verify", "[FOLDER]", "Check a repository, or any copy of one, as an agent would, every byte of it.",
        "  picket-repo verify --repo /srv/picket\n  picket-repo verify --root /etc/picket/root.json /media/stick/repository"},
       run_verify},
  };
}

}  // namespace picket::repo
