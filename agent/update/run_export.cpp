// What is in force, as a repository in a folder: for further folders, for a removable drive.
#include <algorithm>
#include <cstdlib>
#include <set>

#include "base/progress.hpp"
#include "storage/space.hpp"
#include "trust/folder_repository.hpp"
#include "update/run.hpp"

namespace picket::update {
namespace {

constexpr std::uint64_t kMetadataRoom = 8u << 20;

const trust::Release* release_of(const std::vector<trust::Release>& offered, const SetInfo& info) {
  const auto found = std::ranges::find_if(offered, [&](const auto& release) {
    return static_cast<std::uint64_t>(release.release) == info.release && release.variant == info.variant && release.content_sha256 == info.content_sha256;
  });
  return found == offered.end() ? nullptr : &*found;
}

// Where copies go. A folder that cannot have one leaves with its reason, and the others go on.
struct Destinations {
  std::vector<std::filesystem::path> folders;
  std::string failures{};

  template <class Step>
  [[nodiscard]] Result<> keep_those(Explain& explain, Step&& step) {
    std::erase_if(folders, [&](const auto& folder) {
      const Result<> done = step(folder);
      if (done) return false;
      explain.say({.file = folder.native()}, done.error().message);
      failures += cat(failures.empty() ? "" : "; ", done.error().message);
      return true;
    });
    return folders.empty() ? Result<>(fail(Code::io, failures)) : Result<>();
  }
};

// check_export_folder has seen that it has a parent.
Result<> check_room(const std::filesystem::path& folder, std::uint64_t need) {
  return storage::require_space(folder.has_filename() ? folder.parent_path() : folder.parent_path().parent_path(), need, cat("a copy in ", folder.native()));
}

}  // namespace

Result<> Run::open_stored() {
  const auto& data = shop_.options.data_dir;
  PICKET_LET(catalogue, Catalogue::open({data / "metadata", data / "metadata.highest", shop_.options.root_file}, shop_.clock, shop_.explain, shop_.steps));
  catalogue_ = std::move(catalogue);
  return catalogue_->load();
}

void Run::open_readers() {
  for (auto& entry : shop_.sources.to_try(true, shop_.explain)) {
    const auto limits = limits_of(settings_, entry);
    readers_.push_back(std::make_unique<SourceReader>(shop_.caller, shop_.clock, std::move(entry), limits, cancel_));
  }
}

Result<std::vector<std::string>> Run::components_to_export(const v1::ExportRequest& order) const {
  std::vector<std::string> out(order.components().begin(), order.components().end());
  if (out.empty()) {
    // What nobody demands any more is in force too, but its metadata is as old as its last demand.
    auto demanded = settings_.components;
    for (const auto& demand : shop_.demands()) demanded.push_back(demand.component);
    for (auto& component : demanded)
      if (!shop_.ledger.record(component).in_force.empty()) out.push_back(std::move(component));
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.empty()) return fail(Code::not_found, "nothing that is demanded is in force: run an update first, or name the components");
  return out;
}

// The archive of what is in force, and where it belongs in a repository. Its bytes are not here yet.
Result<Run::Archive> Run::archive_of(const std::string& component, v1::ComponentResult& out) {
  const auto& in_force = shop_.ledger.record(component).in_force;
  if (in_force.empty()) return fail(Code::not_found, "nothing of it is in force");
  PICKET_LET(info, shop_.sets.info(component, in_force));
  if (shop_.ledger.record(component).is_on_trial()) return fail(Code::conflict, cat("release ", std::to_string(info.release), " is on trial: handed on when a verification has passed"));
  note_in_force(info);
  out.set_variant(info.variant);
  out.set_release_before(info.release);
  out.set_release_after(info.release);
  PICKET_LET(offer, catalogue_->stored_offer_of(component));
  const auto* release = release_of(offer.releases, info);
  if (release == nullptr) return fail(Code::not_found, cat("release ", std::to_string(info.release), " is in force, but the repository does not offer it any more"));
  const auto wanted = catalogue_->wanted(*release);
  out.set_bytes(wanted.length);
  Archive archive{*release, wanted, {wanted.path, {}}, {}};
  // Declined, rolled back, not approved, pinned: who takes the copy is not to miss them. One that merely has not come yet, or needs a newer agent than
  // this one, is another matter.
  for (const auto& other : offer.releases)
    if (other.release > release->release && plan_of(component, {other}, other.minimum_agent).what == Plan::What::keep) archive.held.insert(other.release);
  return archive;
}

// Those who take the copy may have been installed with an older root than this agent, and walk from there, over each one. What lies before one that no
// source has leads nowhere.
void Run::add_older_roots(std::vector<trust::MetadataFile>& metadata) {
  std::set<std::int64_t> here;
  for (const auto& file : metadata)
    if (file.path.ends_with(".root.json")) here.insert(std::strtoll(file.path.c_str(), nullptr, 10));
  if (here.empty()) return;
  const auto last_needed = std::max<std::int64_t>(1, *here.rbegin() - trust::Limits{}.root_rotations + 1);  // nobody walks farther
  auto reader = readers_.begin();
  for (auto version = *here.begin() - 1; version >= last_needed && !cancel_.is_cancelled(); --version) {
    const auto name = cat(std::to_string(version), ".root.json");
    Result<std::string> bytes;
    // One that did not give a root is not waited for again with each older one.
    for (; reader != readers_.end(); ++reader)
      if (bytes = (*reader)->fetch_metadata(name, trust::Limits{}.root_bytes); bytes && trust::is_root(*bytes, version)) break;
    if (reader == readers_.end()) return shop_.explain.say({.file = name}, "no source gives it: who was installed with it, or an older one, cannot take the copy");
    metadata.push_back({name, std::move(*bytes)});
  }
}

Result<> Run::export_all(const v1::ExportRequest& order, std::vector<Archive>& archives, v1::RunResult& result) {
  if (order.folders().empty()) return fail(Code::invalid, "no folder was named");
  for (const auto& folder : order.folders())
    if (!std::filesystem::path(folder).is_absolute()) return fail(Code::invalid, cat("'", folder, "' is no absolute path"));
  Destinations to{{order.folders().begin(), order.folders().end()}};
  PICKET_TRY(to.keep_those(shop_.explain, [](const auto& folder) { return trust::check_export_folder(folder); }));
  PICKET_LET(components, components_to_export(order));
  if (auto opened = open_stored(); !opened) return fail(std::move(opened).error(), "the stored metadata cannot be handed on; run an update first");
  // Half of it would look like the whole to those who read it.
  const auto nothing_copied = [](v1::ComponentResult& out, const Error& why) {
    out.set_result("failed");
    out.set_text(why.message);
    return fail(why.code, cat("nothing was copied: ", out.component(), ": ", why.message));
  };
  std::uint64_t need = kMetadataRoom;
  for (const auto& component : components) {
    auto& out = *result.add_components();
    out.set_component(component);
    auto archive = archive_of(component, out);
    if (!archive) return nothing_copied(out, archive.error());
    need += archive->wanted.length;
    archives.push_back(std::move(*archive));
  }
  PICKET_TRY(to.keep_those(shop_.explain, [&](const auto& folder) { return check_room(folder, need); }));
  open_readers();
  for (std::size_t i = 0; i < archives.size(); ++i) {
    auto& out = *result.mutable_components(static_cast<int>(i));
    auto file = fetch(archives[i].release, archives[i].wanted, readers_);  // brought again when it was not kept
    if (!file) return nothing_copied(out, file.error());
    archives[i].copy.file = std::move(*file);
    out.set_result("exported");
  }
  PICKET_LET(metadata, catalogue_->metadata_files(components));
  add_older_roots(metadata);
  std::vector<trust::TargetCopy> copies;
  trust::HeldBack held;
  for (const auto& archive : archives) {
    copies.push_back(archive.copy);
    if (!archive.held.empty()) held.emplace(archive.release.component, archive.held);
  }
  if (!held.empty()) metadata.push_back({std::string(trust::kHeldBackFile), trust::write_held_back(held)});
  const auto write = [&](const auto& folder) -> Result<> {
    if (cancel_.is_cancelled()) return fail(Code::cancelled, "cancelled");
    tell("copy", "", folder.native());
    PICKET_TRY(check_room(folder, need));  // several may share a drive, and what was brought may lie on it
    shop_.steps("export.write");
    PICKET_TRY(trust::write_repository(metadata, copies, folder));
    shop_.explain.say({.file = folder.native()}, "holds what is in force, whole");
    return {};
  };
  PICKET_TRY(to.keep_those(shop_.explain, write));
  if (to.failures.empty()) return {};
  if (cancel_.is_cancelled()) return fail(Code::cancelled, "cancelled");
  result.set_result("partial");
  result.set_text(to.failures);
  return {};
}

v1::RunResult Run::export_to(const v1::ExportRequest& order) {
  v1::RunResult result;
  begin(result, "export");
  std::vector<Archive> archives;
  if (auto done = export_all(order, archives, result); !done) {
    result.set_result(cancel_.is_cancelled() ? "cancelled" : "failed");
    result.set_text(done.error().message);
    for (auto& component : *result.mutable_components()) {
      if (component.result() == "failed") continue;
      component.set_result("failed");
      component.set_text("not copied");
    }
  }
  // Brought for this only: an update does not need them again.
  if (!settings_.keep_archives)
    for (const auto& archive : archives) (void)shop_.downloads.remove(archive.wanted);
  catalogue_.reset();
  finish(result);
  return result;
}

}  // namespace picket::update
