#include "repo/candidate.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <system_error>

#include <boost/json/array.hpp>

#include "base/files.hpp"
#include "trust/release.hpp"

namespace picket::repo {

namespace fs = std::filesystem;

namespace {

Result<> check_delegations(const json::object& delegations) {
  const auto* roles = delegations.if_contains("roles");
  if (!roles) return fail(Code::unsupported, "targets.json: delegates to hash bins, which this tool does not publish");
  for (const auto& each : roles->as_array()) {
    const auto& role = each.as_object();
    const std::string name(role.at("name").as_string());
    auto good = trust::check_component_name(name);
    if (!good) return fail(std::move(good).error(), "targets.json");
    const auto* paths = role.if_contains("paths");
    if (!paths) return fail(Code::unsupported, cat("targets.json: ", name, " is delegated by hash prefixes, which this tool does not publish"));
    for (const auto& pattern : paths->as_array()) {
      const std::string_view text = pattern.as_string();
      if (text.find('[') != text.npos) return fail(Code::invalid, cat("targets.json: pattern \"", text, "\" of ", name, " holds [, which clients read differently"));
      if (!is_ascii(text)) return fail(Code::invalid, cat("targets.json: a pattern of ", name, " is not ASCII"));
    }
  }
  return {};
}

}  // namespace

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

Result<std::string> FolderFetcher::fetch_metadata(std::string_view path, std::uint64_t max_bytes) {
  if (overlay_) {
    if (const auto found = overlay_->find(path); found != overlay_->end()) {
      if (found->second.size() > max_bytes)
        return fail(Code::too_large, cat(path, ": holds ", std::to_string(found->second.size()), " bytes, clients take at most ", std::to_string(max_bytes)));
      return found->second;
    }
  }
  return read_file(folder_ / path, max_bytes);
}

Result<TemporaryFolder> TemporaryFolder::make(const fs::path& parent, std::string_view prefix) {
  auto name = (parent / cat(prefix, "XXXXXX")).native();
  if (!::mkdtemp(name.data())) return fail_errno(cat("create a folder in ", parent.native()));
  return TemporaryFolder(name);
}

Result<TemporaryFolder> TemporaryFolder::make(std::string_view prefix) {
  std::error_code why;
  const auto parent = fs::temp_directory_path(why);
  if (why) return fail(Code::not_found, cat("no folder for temporary files (TMPDIR): ", why.message()));
  return make(parent, prefix);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Result<std::set<std::string>> read_as_client(const fs::path& state_folder, trust::Fetcher& fetcher, std::string_view root_bytes, UnixTime now) {
  trust::ClientOptions options;
  options.metadata_dir = state_folder;
  options.now = [now] { return now; };
  options.earliest_time = 0;  // the publisher may work with a time of its own (--now)
  PICKET_LET(client, trust::Client::open(std::move(options), fetcher));
  if (!root_bytes.empty()) PICKET_TRY(client->init(root_bytes));
  PICKET_TRY(client->refresh());
  std::set<std::string> paths;
  PICKET_LET(roles, client->delegated_roles());
  for (const auto& role : roles) {
    PICKET_LET(targets, client->targets_of(role));
    for (const auto& target : targets) {
      PICKET_TRY(trust::check_target_path(target.path));
      auto release = trust::parse_release(target);
      if (!release && release.error().code != Code::unsupported) return fail(std::move(release).error());
      paths.insert(target.path);
    }
  }
  return paths;
}

Result<Examined> examine(const Workspace& workspace, const NewMetadata& candidate) {
  Examined out;
  PICKET_LET(folder, TemporaryFolder::make(workspace.folder(), ".check-"));
  FolderFetcher after(workspace.metadata_folder(), &candidate);
  if (const auto* root = workspace.published("root")) {
    FolderFetcher before(workspace.metadata_folder());
    // At a time when all that is published was still valid: it may have expired, which is why it is renewed, and is yet the base
    // below which nothing may fall.
    UnixTime then = workspace.now();
    std::vector<std::string> roles{"root", "timestamp", "snapshot", "targets"};
    for (const auto& component : workspace.components()) roles.push_back(component);
    for (const auto& role : roles)
      if (const auto* document = workspace.published(role)) then = std::min(then, document->expires() - 1);
    PICKET_LET(bytes, read_file(workspace.metadata_folder() / root->file_name(), 1u << 20));
    const auto state = folder.path() / "follower";
    PICKET_TRY(make_folders(state, 0700));
    // Where folders cannot be exchanged (see publish.cpp), a cut between root and timestamp leaves what only a new publish can mend.
    if (auto read = read_as_client(state, before, bytes, then); !read) out.warning = cat("what was published before did not verify: ", read.error().message);
    if (auto read = read_as_client(state, after, {}, workspace.now()); !read) return fail(std::move(read).error(), "clients would refuse this");
  }
  PICKET_LET(first_root, after.fetch_metadata("1.root.json", 1u << 20));
  const auto state = folder.path() / "newcomer";
  PICKET_TRY(make_folders(state, 0700));
  auto read = read_as_client(state, after, first_root, workspace.now());
  if (!read) return fail(std::move(read).error(), "clients would refuse this");
  out.paths = std::move(*read);
  return out;
}

Result<> check_names(const Document& document) {
  if (document.role == "root" || document.role == "snapshot" || document.role == "timestamp") return {};
  if (const auto* delegations = document.body.if_contains("delegations")) {
    if (document.role != "targets") return fail(Code::unsupported, cat(document.role, ".json: delegates further, which this tool does not publish"));
    PICKET_TRY(check_delegations(delegations->as_object()));
  }
  if (document.role == "targets" && !document.body.at("targets").as_object().empty())
    return fail(Code::unsupported, "targets.json: names targets of its own; this tool publishes them as releases of components (picket-repo add)");
  std::set<std::string> folded;
  for (const auto& [path, target] : document.body.at("targets").as_object()) {
    const std::string_view text = path;
    if (!is_ascii(text)) return fail(Code::invalid, cat(document.role, ".json: target path \"", text, "\" is not ASCII"));
    if (auto good = trust::check_target_path(text); !good) return fail(std::move(good).error(), cat(document.role, ".json"));
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (!folded.insert(lower).second)
      return fail(Code::conflict, cat(document.role, ".json: two targets are called ", lower, " on systems that do not tell upper from lower case"));
  }
  return {};
}

}  // namespace picket::repo
