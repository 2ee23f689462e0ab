#include "support/update_repository.hpp"

#include <cstdlib>
#include <filesystem>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <boost/json/value.hpp>
#include <zstd.h>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "content/tar.hpp"
#include "delta/make/make.hpp"
#include "support/temporary_folder.hpp"

namespace picket::support {
namespace {

la_ssize_t collect(archive*, void* into, const void* bytes, std::size_t size) {
  static_cast<std::string*>(into)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

std::string make_tar(const std::vector<Member>& members) {
  std::string out;
  archive* writer = archive_write_new();
  archive_write_set_format_gnutar(writer);
  archive_write_set_bytes_per_block(writer, 0);
  archive_write_open(writer, &out, nullptr, collect, nullptr);
  for (const auto& member : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, member.path.c_str());
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, 0);
    switch (member.type) {
      case 'd': archive_entry_set_filetype(entry, AE_IFDIR); break;
      case 'l': archive_entry_set_filetype(entry, AE_IFLNK); archive_entry_set_symlink(entry, member.link.c_str()); break;
      case 'h': archive_entry_set_filetype(entry, AE_IFREG); archive_entry_set_hardlink(entry, member.link.c_str()); break;
      case 'p': archive_entry_set_filetype(entry, AE_IFIFO); break;
      case 'c': archive_entry_set_filetype(entry, AE_IFCHR); archive_entry_set_rdevmajor(entry, 1); archive_entry_set_rdevminor(entry, 3); break;
      default:
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
    }
    archive_write_header(writer, entry);
    if (member.type == 'f') archive_write_data(writer, member.content.data(), member.content.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  return out;
}

std::string compress(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

std::string decompress(std::string_view bytes) {
  std::string out(ZSTD_getFrameContentSize(bytes.data(), bytes.size()), '\0');
  ZSTD_decompress(out.data(), out.size(), bytes.data(), bytes.size());
  return out;
}

// As picket-repo does it.
std::string pack(const std::vector<std::pair<std::string, std::string>>& files) {
  const TemporaryFolder folder;
  for (const auto& [path, content] : files) folder.write(path, content);
  std::string out;
  const auto packed = content::write_tar(folder.path(), content::list(folder.path()).value(), [&](std::string_view bytes) {
    out += bytes;
    return Result<>{};
  });
  if (!packed) std::abort();
  return out;
}

}  // namespace

std::string make_archive(const std::vector<Member>& members) { return compress(make_tar(members)); }

void UpdateRepository::need_role(const std::string& component) {
  if (tuf.signers.contains(component)) return;
  tuf.delegate("targets", component, {.paths = {trust::component_pattern(component)}, .terminating = true});
  fresh_role_ = true;
}

std::string UpdateRepository::offer(const Offer& offer) {
  trust::Release release;
  release.component = offer.component;
  release.cls = offer.cls;
  release.variant = offer.variant;
  release.release = offer.release;
  release.version = cat("v", std::to_string(offer.release));
  release.published = offer.published != 0 ? offer.published : TufRepo::start;
  release.minimum_agent = offer.minimum_agent;
  std::string bytes;
  if (!offer.single.empty()) {
    release.format = "file";
    release.name = "database.bin";
    bytes = offer.single;
    release.content_length = release.unpacked = bytes.size();
    release.content_sha256 = sha256_hex(bytes);
    release.files = 1;
  } else {
    release.format = "tar.zst";
    for (const auto& [path, content] : offer.files) release.unpacked += content.size();
    release.files = offer.files.size();
    const auto tar = pack(offer.files);
    bytes = compress(tar);
    release.content_length = tar.size();
    release.content_sha256 = sha256_hex(tar);
  }
  contents_[cat(offer.component, "/", offer.variant, "/", std::to_string(offer.release))] = release.format == "file" ? bytes : decompress(bytes);
  return offer_raw(release, bytes);
}

std::string UpdateRepository::offer_delta(std::int64_t from, std::int64_t to, const std::function<void(std::string&)>& spoil, const std::string& component,
                                          const std::string& variant) {
  const auto content = [&](std::int64_t release) { return contents_.at(cat(component, "/", variant, "/", std::to_string(release))); };
  auto made = delta::make(content(from), content(to)).value();
  if (spoil) spoil(made.bytes);
  trust::Delta delta;
  delta.component = component;
  delta.variant = variant;
  delta.base = from;
  delta.release = to;
  delta.base_sha256 = sha256_hex(content(from));
  delta.method = delta::to_string(made.method);
  const auto path = trust::delta_path(delta);
  tuf.add_target(component, path, made.bytes);
  tuf.document(component)["targets"].as_object()[path].as_object()["custom"] = trust::delta_custom(delta);
  return trust::consistent_target_path(path, sha256_hex(made.bytes));
}

std::string UpdateRepository::offer_raw(trust::Release release, std::string_view bytes) {
  need_role(release.component);
  if (release.content_sha256.empty()) {  // of an archive: told as it is
    const auto tar = decompress(bytes);
    release.content_length = tar.size();
    release.content_sha256 = sha256_hex(tar);
  }
  const auto path = trust::release_path(release);
  tuf.add_target(release.component, path, bytes);
  tuf.document(release.component)["targets"].as_object()[path].as_object()["custom"] = trust::release_custom(release);
  return trust::consistent_target_path(path, sha256_hex(bytes));
}

void UpdateRepository::withdraw(const Offer& offer) {
  trust::Release release;
  release.component = offer.component;
  release.variant = offer.variant;
  release.release = offer.release;
  release.format = offer.single.empty() ? "tar.zst" : "file";
  tuf.document(offer.component)["targets"].as_object().erase(trust::release_path(release));
}

void UpdateRepository::publish() { tuf.publish_all(); }

}  // namespace picket::support
