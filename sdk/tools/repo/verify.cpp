#include "repo/verify.hpp"

#include <filesystem>
#include <system_error>

#include <sys/stat.h>

#include "base/files.hpp"
#include "repo/archive.hpp"
#include "repo/candidate.hpp"
#include "repo/packed.hpp"

namespace picket::repo {

namespace {

namespace fs = std::filesystem;

Result<> check_target(const fs::path& file, const trust::Release& release, bool read, Progress& progress) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return fail_errno(file.native());
  if (static_cast<std::uint64_t>(info.st_size) != release.length)
    return fail(Code::untrusted, cat(file.native(), ": has ", std::to_string(info.st_size), " bytes, ", std::to_string(release.length), " were signed"));
  if (!read) return {};
  PICKET_LET(found, measure(file, release.format == "tar.zst", release.content_length, progress));
  const auto sha256 = release.hashes.find("sha256");
  if (sha256 == release.hashes.end() || found.sha256 != sha256->second) return fail(Code::untrusted, cat(file.native(), ": does not have the signed sha256"));
  if (found.content_length != release.content_length || found.content_sha256 != release.content_sha256)
    return fail(Code::untrusted, cat(file.native(), ": does not unpack to the signed content"));
  return {};
}

// What lies packed is not signed itself: it is right when what was verified comes out of it. An agent that got something else would take
// the whole place for a wrong one.
void check_packed(const fs::path& metadata, const std::vector<trust::MetadataFile>& files, Verified& out) {
  constexpr std::string_view mend = " (picket-repo timestamp packs it anew)";
  std::vector<std::string> missing;
  for (const auto& file : files) {
    if (!lies_packed(file.path)) continue;
    const auto packed = metadata / packed_name(file.path);
    const auto bytes = read_file(packed, trust::Limits{}.declared_bytes);
    if (!bytes && bytes.error().code == Code::not_found) {
      missing.push_back(cat(packed.native(), ": is missing, and others lie packed here", mend));
      continue;
    }
    ++out.packed;
    if (!bytes)
      out.problems.push_back(cat(bytes.error().message, mend));
    else if (!unpacks_to(*bytes, file.bytes))
      out.problems.push_back(cat(packed.native(), ": does not unpack to ", file.path, mend));
  }
  if (out.packed > 0) out.problems.insert(out.problems.end(), missing.begin(), missing.end());
}

}  // namespace

Result<Verified> verify_repository(const fs::path& repository, std::string_view root_bytes, trust::UnixTime now, bool read_targets, Progress& progress) {
  PICKET_LET(state, TemporaryFolder::make("picket-repo-verify-"));
  FolderFetcher fetcher(repository / "metadata");
  trust::ClientOptions options;
  options.metadata_dir = state.path();
  options.now = [now] { return now; };
  options.earliest_time = 0;
  PICKET_LET(client, trust::Client::open(std::move(options), fetcher));
  PICKET_TRY(client->init(root_bytes));
  PICKET_TRY(client->refresh());
  Verified out;
  out.versions = client->versions();
  PICKET_LET(roles, client->delegated_roles());
  std::uint64_t total = 0;
  for (const auto& role : roles) {
    PICKET_LET(targets, client->targets_of(role));
    for (const auto& target : targets) {
      auto release = trust::parse_release(target);
      if (!release) {
        if (auto delta = trust::parse_delta(target)) {
          total += delta->length;
          out.deltas.push_back(std::move(*delta));
          continue;
        }
        out.problems.push_back(release.error().message);
        continue;
      }
      total += release->length;
      out.releases.push_back(std::move(*release));
    }
  }
  PICKET_LET(metadata, client->metadata_files(roles));
  check_packed(repository / "metadata", metadata, out);
  progress.set_total(total);
  for (const auto& release : out.releases) {
    const auto sha256 = release.hashes.find("sha256");
    if (sha256 == release.hashes.end()) {
      out.problems.push_back(cat("target ", release.path, " has no sha256"));
      continue;
    }
    const auto checked = check_target(repository / "targets" / trust::consistent_target_path(release.path, sha256->second), release, read_targets, progress);
    if (checked)
      out.bytes += release.length;
    else
      out.problems.push_back(checked.error().message);
  }
  for (const auto& delta : out.deltas) {
    const auto sha256 = delta.hashes.find("sha256");
    if (sha256 == delta.hashes.end()) {
      out.problems.push_back(cat("target ", delta.path, " has no sha256"));
      continue;
    }
    // As bytes: what comes out of it is checked by whoever applies it, against the full release.
    trust::Release bytes;
    bytes.length = bytes.content_length = delta.length;
    bytes.hashes = delta.hashes;
    bytes.content_sha256 = sha256->second;
    const auto checked = check_target(repository / "targets" / trust::consistent_target_path(delta.path, sha256->second), bytes, read_targets, progress);
    if (checked)
      out.bytes += delta.length;
    else
      out.problems.push_back(checked.error().message);
  }
  if (read_targets && total > 0 && out.problems.empty()) progress.finish();
  return out;
}

}  // namespace picket::repo
