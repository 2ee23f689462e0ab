#include "repo/export.hpp"

#include <algorithm>
#include <fstream>
#include <map>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "repo/candidate.hpp"
#include "repo/packed.hpp"
#include "trust/folder_repository.hpp"
#include "trust/release.hpp"

namespace picket::repo {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

Result<std::vector<trust::Release>> newest_of(trust::Client& client, const ExportWish& wish) {
  auto targets = client.targets_of(wish.component);
  if (!targets && targets.error().code == Code::not_found) return fail(Code::not_found, cat("the repository offers no component ", wish.component));
  if (!targets) return fail(std::move(targets).error());
  std::vector<trust::Release> out;
  for (const auto& target : *targets) {
    auto release = trust::parse_release(target);
    if (!release || release->component != wish.component || (!wish.variant.empty() && release->variant != wish.variant)) continue;
    if (!out.empty() && out.front().release > release->release) continue;
    if (!out.empty() && out.front().release < release->release) out.clear();
    out.push_back(std::move(*release));
  }
  if (out.empty()) return fail(Code::not_found, cat("the repository offers no release of ", wish.component, wish.variant.empty() ? "" : " in variant ", wish.variant));
  return out;
}

// A damaged file is found out here, not at the other end of a journey.
Result<> check_file(const fs::path& file, const trust::Release& release) {
  std::vector<std::pair<std::string, Digest>> digests;
  for (const auto& [algorithm, wanted] : release.hashes)
    if (Digest::is_known(algorithm)) digests.emplace_back(wanted, Digest(algorithm));
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail_errno(cat("open ", file.native()));
  std::string piece(1u << 20, '\0');
  std::uint64_t bytes = 0;
  while (in.read(piece.data(), static_cast<std::streamsize>(piece.size())), in.gcount() > 0) {
    const auto got = std::string_view(piece).substr(0, static_cast<std::size_t>(in.gcount()));
    bytes += got.size();
    for (auto& [wanted, digest] : digests) digest.update(got);
  }
  bool good = bytes == release.length && !digests.empty();
  for (auto& [wanted, digest] : digests) good = digest.finish_hex() == wanted && good;
  return good ? Result<>() : Result<>(fail(Code::untrusted, cat(file.native(), " is damaged: it is not what was signed")));
}

}  // namespace

Result<std::vector<ExportWish>> device_wishes(std::string_view text) {
  json::error_code error;
  const auto document = json::parse(text, error);
  const auto* root = !error ? document.if_object() : nullptr;
  const auto* data = root != nullptr ? root->if_contains("data") : nullptr;
  const auto* list = data != nullptr && data->is_object() ? data->get_object().if_contains("components") : nullptr;
  if (list == nullptr || !list->is_array()) return fail(Code::invalid, "not what picketctl component list --json prints");
  std::vector<ExportWish> out;
  for (const auto& item : list->get_array()) {
    const auto* component = item.if_object();
    const auto text_of = [&](std::string_view name) {
      const auto* value = component != nullptr ? component->if_contains(name) : nullptr;
      return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
    };
    if (trust::check_component_name(text_of("component"))) {
      const auto* by = component->if_contains("demanded_by");
      if (by == nullptr || !by->is_array() || by->get_array().empty()) continue;  // in force, but nobody wants it any more
      out.push_back({text_of("component"), text_of("wanted_variant")});
    } else {
      return fail(Code::invalid, "not what picketctl component list --json prints: a component without a name");
    }
  }
  if (out.empty()) return fail(Code::not_found, "the device demands no component");
  return out;
}

Result<ExportReport> export_repository(const fs::path& repository, const std::vector<ExportWish>& wishes, const fs::path& folder, trust::UnixTime now, Progress& progress) {
  PICKET_LET(scratch, TemporaryFolder::make("picket-repo-export-"));  // the client's own state
  auto root = read_file(repository / "metadata" / "1.root.json", trust::Limits{}.root_bytes);
  if (!root) return fail(std::move(root).error(), cat(repository.native(), " is no repository"));
  FolderFetcher fetcher(repository / "metadata");
  trust::ClientOptions options;
  options.metadata_dir = scratch.path() / "metadata";
  options.pinned_root = std::move(*root);
  options.now = [now] { return now; };
  PICKET_LET(client, trust::Client::open(std::move(options), fetcher));
  PICKET_TRY(client->refresh());
  const bool consistent = client->versions().consistent_snapshot;

  ExportReport report;
  std::vector<std::string> roles;
  std::map<std::string, trust::TargetCopy> targets;
  for (const auto& wish : wishes) {
    // A device may want a variant that its component does not have: then it takes the other.
    auto releases = newest_of(*client, wish);
    if (!releases && releases.error().code == Code::not_found && !wish.variant.empty()) releases = newest_of(*client, {wish.component, ""});
    if (!releases) return fail(std::move(releases).error());
    if (std::ranges::find(roles, wish.component) == roles.end()) roles.push_back(wish.component);
    for (const auto& release : *releases) {
      const auto hash = release.hashes.contains("sha256") ? release.hashes.at("sha256") : release.hashes.begin()->second;
      const auto path = consistent ? trust::consistent_target_path(release.path, hash) : release.path;
      const auto file = repository / "targets" / path;
      PICKET_TRY(check_file(file, release));
      if (!targets.emplace(path, trust::TargetCopy{path, file}).second) continue;
      report.lines.push_back({release.component, release.variant, release.release, release.length});
      report.bytes += release.length;
      progress.update(report.bytes);
    }
  }
  PICKET_LET(metadata, client->metadata_files(roles));
  // The drive may be carried to a web or FTP server.
  for (std::size_t i = 0, count = metadata.size(); i < count; ++i) {
    if (!lies_packed(metadata[i].path)) continue;
    PICKET_LET(packed, pack(metadata[i].bytes));
    metadata.push_back({packed_name(metadata[i].path), std::move(packed)});
  }
  for (const auto& file : metadata) report.bytes += file.bytes.size();
  std::vector<trust::TargetCopy> copies;
  for (auto& [path, copy] : targets) copies.push_back(std::move(copy));
  PICKET_TRY(trust::write_repository(metadata, copies, folder));
  return report;
}

}  // namespace picket::repo
