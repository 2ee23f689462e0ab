#include "repo/publish.hpp"

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "repo/archive.hpp"
#include "repo/candidate.hpp"
#include "repo/edit.hpp"
#include "repo/packed.hpp"
#include "trust/release.hpp"

namespace picket::repo {

namespace {

namespace fs = std::filesystem;

std::string join_names(const std::vector<std::string>& names, std::string_view between, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) out += cat(i == 0 ? std::string_view() : i + 1 == names.size() ? last : between, names[i]);
  return out;
}

// "targets needs 1 more signature, by alice or bob"; empty when it has enough.
std::string missing_for(const Document& document, std::string_view what, const Authority& authority, const KeyStore& keys) {
  const auto signers = document.signers(authority);
  const auto needed = authority.role.threshold - static_cast<std::int64_t>(signers.size());
  if (needed <= 0) return {};
  std::vector<std::string> others;
  for (const auto& keyid : authority.role.keyids)
    if (std::find(signers.begin(), signers.end(), keyid) == signers.end()) others.push_back(keys.name_of(keyid));
  return cat(what, " needs ", std::to_string(needed), needed == 1 ? " more signature" : " more signatures", ", by ", join_names(others, ", ", " or "));
}

Result<> sign_online(const Workspace& workspace, const KeyStore& keys, Document& document) {
  PICKET_LET(authority, workspace.authority(document.role));
  std::int64_t done = 0;
  for (const auto& keyid : authority.role.keyids) {
    if (done == authority.role.threshold) break;
    const auto* info = keys.by_id(keyid);
    if (!info || !info->private_file) continue;
    PICKET_LET(key, keys.load_private(*info));
    PICKET_TRY(document.sign(key));
    ++done;
  }
  if (const auto missing = missing_for(document, document.role, authority, keys); !missing.empty())
    return fail(Code::denied, cat(missing, ": the private key is not here (--keys DIR looks elsewhere too)"));
  return {};
}

json::object meta_of(const Document& document, std::string_view bytes) {
  return {{"version", document.version()}, {"length", static_cast<std::int64_t>(bytes.size())}, {"hashes", json::object{{"sha256", sha256_hex(bytes)}}}};
}

// Every client fetches the snapshot for every change of anything, so it is what a step of one component costs in a repository of many: a
// component has its version there and no more (length and digest are optional, TUF 4.4), a third of the bytes. targets.json has all three.
json::object in_snapshot(const Document& document, std::string_view bytes) {
  return document.role == "targets" ? meta_of(document, bytes) : json::object{{"version", document.version()}};
}

struct Plan {
  std::vector<Document> in_order;  // components, targets, snapshot, root, timestamp: what is new, in the order of writing
  NewMetadata files;
  NewMetadata packed;  // what lies beside those of them that are asked for by version, and beside older ones where it is missing or wrong
  std::vector<Offered> new_targets;
};

void add_to_plan(Plan& plan, Document document) {
  plan.files.insert_or_assign(document.file_name(), document.to_bytes());
  plan.in_order.push_back(std::move(document));
}

// What the snapshot says of files that did not change is what it said before: the very bytes that lie there.
Document next_snapshot(const Workspace& workspace, const Plan& plan) {
  const auto* old = workspace.published("snapshot");
  auto snapshot = Document::make("snapshot", workspace.expiry_of("snapshot"));
  json::object meta;
  if (old) {
    snapshot.set_version(old->version() + 1);
    meta = old->body.at("meta").as_object();
  }
  for (const auto& document : plan.in_order)
    if (document.role != "root") meta[cat(document.role, ".json")] = in_snapshot(document, plan.files.at(document.file_name()));
  snapshot.body["meta"] = std::move(meta);
  return snapshot;
}

bool is_past_half_life(const Workspace& workspace, const Document& document) {
  return 2 * (document.expires() - workspace.now()) < 3600 * workspace.settings().hours_of(document.role);
}

Result<Plan> make_plan(const Workspace& workspace, const KeyStore& keys, const PublishOptions& options) {
  Plan plan;
  const Document* root = nullptr;
  if (!options.online_only) {
    const auto staged = workspace.all_staged();  // root, targets, components
    if (staged.empty()) return fail(Code::conflict, "nothing is staged (picket-repo timestamp renews what is published)");
    for (auto it = staged.rbegin(); it != staged.rend(); ++it) {
      PICKET_TRY(check_names(**it));
      if ((*it)->role == "root")
        root = *it;
      else
        add_to_plan(plan, **it);
    }
  }
  const auto* old_snapshot = workspace.published("snapshot");
  auto timestamp = Document::make("timestamp", workspace.expiry_of("timestamp"));
  json::object snapshot_meta;
  if (options.online_only && !is_past_half_life(workspace, *old_snapshot)) {
    snapshot_meta = workspace.published("timestamp")->body.at("meta").as_object().at("snapshot.json").as_object();
  } else {
    auto snapshot = next_snapshot(workspace, plan);
    PICKET_TRY(sign_online(workspace, keys, snapshot));
    add_to_plan(plan, std::move(snapshot));
    snapshot_meta = meta_of(plan.in_order.back(), plan.files.at(plan.in_order.back().file_name()));
  }
  if (root) add_to_plan(plan, *root);
  if (const auto* old = workspace.published("timestamp")) timestamp.set_version(old->version() + 1);
  timestamp.body["meta"] = json::object{{"snapshot.json", std::move(snapshot_meta)}};
  PICKET_TRY(sign_online(workspace, keys, timestamp));
  add_to_plan(plan, std::move(timestamp));
  return plan;
}

Result<> pack_metadata(const Workspace& workspace, Plan& plan) {
  for (const auto& [name, bytes] : plan.files) {
    if (!lies_packed(name)) continue;
    PICKET_LET(packed, pack(bytes));
    plan.packed.emplace(packed_name(name), std::move(packed));
  }
  // Published before this was made, copied without, damaged since, or of other metadata: no agent could use those of its place.
  auto roles = workspace.components();
  for (const char* role : {"targets", "snapshot"}) roles.emplace_back(role);
  for (const auto& role : roles) {
    const auto* document = workspace.published(role);
    if (document == nullptr || !lies_packed(document->file_name())) continue;
    const auto name = packed_name(document->file_name());
    PICKET_LET(bytes, read_file(workspace.metadata_folder() / document->file_name(), trust::Limits{}.declared_bytes));
    const auto there = read_file(workspace.metadata_folder() / name, trust::Limits{}.declared_bytes);
    if (there && unpacks_to(*there, bytes)) continue;
    PICKET_LET(packed, pack(bytes));
    plan.packed.emplace(name, std::move(packed));
  }
  return {};
}

fs::path published_path(const Workspace& workspace, const Offered& release) {
  return workspace.targets_folder() / trust::consistent_target_path(release.path, release.hashes.at("sha256"));
}

// A path once published keeps its content for ever, and every target that is named lies where clients will look.
Result<> check_targets(const Workspace& workspace, Plan& plan, Progress& progress) {
  std::uint64_t total = 0;
  for (const auto& document : plan.in_order) {
    if (is_top_level(document.role)) continue;
    std::map<std::string, std::string, std::less<>> before;
    std::set<std::string, std::less<>> published_before;
    if (const auto* old = workspace.published(document.role))
      for (const auto& release : offered_in(*old)) {
        published_before.insert(release.path);
        if (release.release) before[release.path] = release.release->content_sha256;
      }
    for (auto& release : offered_in(document)) {
      if (!release.hashes.contains("sha256")) return fail(Code::invalid, cat("target ", release.path, " has no sha256"));
      const auto old = before.find(release.path);
      if (old != before.end() && release.release && old->second != release.release->content_sha256)
        return fail(Code::conflict, cat("target ", release.path, " is published already, with other content: give it a new release number"));
      struct stat info {};
      if (::stat(published_path(workspace, release).c_str(), &info) == 0) {
        if (static_cast<std::uint64_t>(info.st_size) != release.length)
          return fail(Code::untrusted, cat(published_path(workspace, release).native(), ": has ", std::to_string(info.st_size), " bytes, ", std::to_string(release.length),
                                           " were signed (picket-repo verify checks all)"));
        if (published_before.contains(release.path)) continue;
        plan.new_targets.push_back(release);
        continue;
      }
      if (::access(workspace.staged_target(release.path).c_str(), F_OK) != 0)
        return fail(Code::not_found, cat("the file of target ", release.path, " is missing: neither staged nor published"));
      total += release.length;
      plan.new_targets.push_back(release);
    }
  }
  progress.set_total(total);
  for (const auto& release : plan.new_targets) {
    const auto staged = workspace.staged_target(release.path);
    if (::access(staged.c_str(), F_OK) != 0) continue;  // in its place already
    const auto* full = release.release ? &*release.release : nullptr;
    PICKET_LET(found, measure(staged, full && full->format == "tar.zst", full ? full->content_length : release.length, progress));
    if (found.length != release.length || found.sha256 != release.hashes.at("sha256") ||
        (full && (found.content_sha256 != full->content_sha256 || found.content_length != full->content_length)))
      return fail(Code::untrusted, cat(staged.native(), ": is not what was signed as ", release.path, ": it was changed after picket-repo add"));
  }
  if (total > 0) progress.finish();
  return {};
}

Result<> move_target(const Workspace& workspace, const Offered& release) {
  const auto from = workspace.staged_target(release.path);
  const auto to = published_path(workspace, release);
  PICKET_TRY(make_folders(to.parent_path()));
  if (::access(from.c_str(), F_OK) != 0) return {};
  if (::rename(from.c_str(), to.c_str()) == 0) return sync_folder(to.parent_path());
  if (errno != EXDEV) return fail_errno(cat("move ", from.native(), " to ", to.native()));
  Progress silent("", 0, Progress::Style::off);
  PICKET_TRY(pack_file(from, to, silent));
  return remove_file(from);
}

// A new root and the timestamp that it asks for have to appear together: between the two a client would find keys and signatures
// that do not fit. So the whole folder is made beside, and the two are exchanged. False: this file system cannot.
Result<bool> exchange_folder(const Workspace& workspace, const Plan& plan, const std::function<void(std::string_view)>& at_step) {
  const auto current = workspace.metadata_folder();
  const auto next = current.parent_path() / ".metadata.next";
  std::error_code why;
  at_step("prepare the folder of metadata");
  fs::remove_all(next, why);
  PICKET_TRY(make_folders(next));
  for (fs::directory_iterator entry(current, why), end; !why && entry != end; entry.increment(why)) {
    if (!entry->is_regular_file(why) || plan.files.contains(entry->path().filename().native()) || plan.packed.contains(entry->path().filename().native())) continue;
    if (::link(entry->path().c_str(), (next / entry->path().filename()).c_str()) != 0) {
      if (errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK) return false;
      return fail_errno(cat("link ", entry->path().native()));
    }
  }
  if (why) return fail_errno(cat("read ", current.native()), why.value());
  for (const auto* files : {&plan.packed, &plan.files})
    for (const auto& [name, bytes] : *files) {
      at_step(cat("prepare ", name));
      PICKET_TRY(write_file_atomic(next / name, bytes));
    }
  at_step("exchange the folders of metadata");
  if (::renameat2(AT_FDCWD, next.c_str(), AT_FDCWD, current.c_str(), RENAME_EXCHANGE) != 0) {
    if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) return false;
    return fail_errno(cat("exchange ", next.native(), " and ", current.native()));
  }
  PICKET_TRY(sync_folder(current.parent_path()));
  at_step("remove the old folder of metadata");
  fs::remove_all(next, why);  // a leftover is removed the next time
  return true;
}

Result<> write_metadata(const Workspace& workspace, const Plan& plan, const std::function<void(std::string_view)>& at_step) {
  const bool has_root = std::any_of(plan.in_order.begin(), plan.in_order.end(), [](const auto& document) { return document.role == "root"; });
  if (has_root) {
    PICKET_LET(exchanged, exchange_folder(workspace, plan, at_step));
    if (exchanged) return {};
  }
  for (const auto& [name, bytes] : plan.packed) {  // nobody asks for them before the timestamp is there
    at_step(cat("write ", name));
    PICKET_TRY(write_file_atomic(workspace.metadata_folder() / name, bytes));
  }
  for (const auto& document : plan.in_order) {
    at_step(cat("write ", document.file_name()));
    PICKET_TRY(write_file_atomic(workspace.metadata_folder() / document.file_name(), plan.files.at(document.file_name())));
  }
  return {};
}

}  // namespace

std::vector<std::string> missing_signatures(const Workspace& workspace, const KeyStore& keys) {
  std::vector<std::string> out;
  const auto note = [&](std::string text) {
    if (!text.empty() && std::find(out.begin(), out.end(), text) == out.end()) out.push_back(std::move(text));
  };
  for (const auto* document : workspace.all_staged()) {
    auto authority = workspace.authority(document->role);
    if (!authority) {
      note(cat(document->role, " is staged, but nothing delegates to it"));
      continue;
    }
    note(missing_for(*document, document->role, *authority, keys));
    if (document->role != "root") continue;
    if (const auto previous = workspace.previous_root_authority())
      note(missing_for(*document, "root (by the keys of the root that is published)", *previous, keys));
  }
  return out;
}

Result<PublishReport> publish(Workspace& workspace, const KeyStore& keys, const PublishOptions& options, Progress& progress) {
  if (options.online_only && !workspace.published("timestamp")) return fail(Code::conflict, "nothing is published yet: picket-repo publish comes first");
  if (!options.online_only) {
    if (const auto missing = missing_signatures(workspace, keys); !missing.empty())
      return fail(Code::denied, cat("signatures are missing (picket-repo sign): ", join_names(missing, "; ", "; ")));
  }
  PICKET_LET(plan, make_plan(workspace, keys, options));
  PICKET_TRY(pack_metadata(workspace, plan));
  PICKET_TRY(check_targets(workspace, plan, progress));
  PICKET_LET(examined, examine(workspace, plan.files));
  for (const auto& document : plan.in_order) {
    if (is_top_level(document.role)) continue;
    for (const auto& release : offered_in(document))
      if (!examined.paths.contains(release.path))
        return fail(Code::invalid, cat("target ", release.path, " is not covered by the paths that targets.json delegates to ", document.role, ": no client would find it"));
  }

  const std::function<void(std::string_view)> at_step = options.at_step ? options.at_step : [](std::string_view) {};
  PublishReport report;
  report.warning = std::move(examined.warning);
  for (const auto& release : plan.new_targets) {
    at_step(cat("move ", release.path));
    PICKET_TRY(move_target(workspace, release));
    report.targets.push_back(release.path);
    report.target_bytes += release.length;
  }
  PICKET_TRY(write_metadata(workspace, plan, at_step));
  for (const auto& document : plan.in_order) {
    report.versions[document.role] = document.version();
    if (document.role == "snapshot" || document.role == "timestamp" || options.online_only) continue;
    at_step(cat("clear staged ", document.role));
    PICKET_TRY(workspace.unstage(document.role));
  }
  return report;
}

}  // namespace picket::repo
