// What is in force, as a repository in a folder: for further folders, for a removable drive.
#include <algorithm>

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
  if (out.empty()) return fail(Code::not_found, "nothing is in force yet: run an update first");
  return out;
}

// The archive of what is in force, brought again when it was not kept, and where it belongs in a repository.
Result<Run::Archive> Run::archive_of(const std::string& component, v1::ComponentResult& out) {
  const auto& in_force = shop_.ledger.record(component).in_force;
  if (in_force.empty()) return fail(Code::not_found, "nothing of it is in force");
  PICKET_LET(info, shop_.sets.info(component, in_force));
  if (shop_.ledger.record(component).is_on_trial()) return fail(Code::conflict, cat("release ", std::to_string(info.release), " is on trial: handed on when a verification has passed"));
  out.set_variant(info.variant);
  out.set_release_before(info.release);
  out.set_release_after(info.release);
  PICKET_LET(offer, catalogue_->stored_offer_of(component));
  const auto* release = release_of(offer.releases, info);
  if (release == nullptr) return fail(Code::not_found, cat("release ", std::to_string(info.release), " is in force, but the repository does not offer it any more"));
  const auto wanted = catalogue_->wanted(*release);
  PICKET_LET(file, fetch(*release, wanted, readers_));
  out.set_bytes(wanted.length);
  return Archive{wanted, {wanted.path, file}};
}

Result<> Run::export_all(const v1::ExportRequest& order, std::vector<Archive>& archives, v1::RunResult& result) {
  if (order.folders().empty()) return fail(Code::invalid, "no folder was named");
  for (const auto& folder : order.folders())
    if (!std::filesystem::path(folder).is_absolute()) return fail(Code::invalid, cat("'", folder, "' is no absolute path"));
  PICKET_LET(components, components_to_export(order));
  if (auto opened = open_stored(); !opened) return fail(std::move(opened).error(), "the stored metadata cannot be handed on; run an update first");
  open_readers();
  for (const auto& component : components) {
    auto& out = *result.add_components();
    out.set_component(component);
    auto archive = archive_of(component, out);
    if (!archive) {
      out.set_result("failed");
      out.set_text(archive.error().message);
      // Half of it would look like the whole to those who read it.
      return fail(archive.error().code, cat("nothing was copied: ", component, ": ", archive.error().message));
    }
    out.set_result("exported");
    archives.push_back(std::move(*archive));
  }
  PICKET_LET(metadata, catalogue_->metadata_files(components));
  std::string failures;
  int good = 0;
  for (const auto& folder : order.folders()) {
    if (cancel_.is_cancelled()) return fail(Code::cancelled, "cancelled");
    tell("copy", "", folder);
    auto done = copy_to(folder, metadata, archives);
    shop_.explain.say({.file = folder}, done ? "holds what is in force, whole" : done.error().message);
    if (done) ++good;
    else failures += cat(failures.empty() ? "" : "; ", done.error().message);
  }
  if (failures.empty()) return {};
  if (good == 0) return fail(Code::io, failures);
  result.set_result("partial");
  result.set_text(failures);
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

Result<> Run::copy_to(const std::filesystem::path& folder, const std::vector<trust::MetadataFile>& metadata, const std::vector<Archive>& archives) {
  std::vector<trust::TargetCopy> copies;
  std::uint64_t need = kMetadataRoom;
  for (const auto& archive : archives) {
    copies.push_back(archive.copy);
    need += archive.wanted.length;
  }
  std::error_code error;
  const auto parent = folder.has_filename() ? folder.parent_path() : folder.parent_path().parent_path();
  if (!std::filesystem::is_directory(parent, error)) return fail(Code::not_found, cat(parent.native(), " is no folder"));
  PICKET_TRY(storage::require_space(parent, need, cat("a copy in ", folder.native())));
  shop_.steps("export.write");
  return trust::write_repository(metadata, copies, folder);
}

}  // namespace picket::update
