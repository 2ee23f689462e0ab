#include "update/stage.hpp"

#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.hpp"
#include "storage/space.hpp"
#include "update/tree_digest.hpp"
#include "update/unpack.hpp"

namespace picket::update {
namespace {

namespace fs = std::filesystem;

// For file systems without hard links.
Result<> copy(const fs::path& from, const fs::path& to, const core::CancelToken& cancel) {
  const UniqueFd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)), out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!in || !out) return fail_errno(cat("copy to ", to.native()));
  constexpr std::size_t kBuffer = 128 * 1024;
  const auto buffer = std::make_unique<char[]>(kBuffer);
  for (;;) {
    if (cancel.is_cancelled()) return fail(Code::cancelled, "cancelled");
    const auto got = ::read(in.get(), buffer.get(), kBuffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(cat("read ", from.native()));
    if (got == 0) break;
    if (auto put = write_all(out.get(), {buffer.get(), static_cast<std::size_t>(got)}); !put) return fail(std::move(put).error(), cat("write ", to.native()));
  }
  if (::fsync(out.get()) != 0) return fail_errno(cat("fsync ", to.native()));
  return {};
}

Result<> place_file(const trust::Release& release, const fs::path& download, const fs::path& folder, const Steps& steps, const core::CancelToken& cancel) {
  const auto to = folder / release.name;
  steps("stage.link");
  if (::link(download.c_str(), to.c_str()) != 0) {
    if (errno != EPERM && errno != EMLINK && errno != EOPNOTSUPP && errno != EXDEV) return fail_errno(cat("link ", to.native()));
    PICKET_TRY(storage::require_space(folder, release.length, cat("staging ", release.name)));
    PICKET_TRY(copy(download, to, cancel));
  }
  if (::chmod(to.c_str(), 0444) != 0) return fail_errno(cat("set mode of ", to.native()));
  return {};
}

Result<> write_file(const trust::Release& release, ContentStream& content, const fs::path& folder, const Steps& steps, const core::CancelToken& cancel) {
  const auto to = folder / release.name;
  steps("stage.write");
  const UniqueFd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444));
  if (!out) return fail_errno(cat("create ", to.native()));
  for (;;) {
    if (cancel.is_cancelled()) return fail(Code::cancelled, "cancelled");
    PICKET_LET(chunk, content.next());
    if (chunk.empty()) break;
    if (auto put = write_all(out.get(), chunk); !put) return fail(std::move(put).error(), cat("write ", to.native()));
  }
  if (content.bytes() != release.content_length)
    return fail(Code::untrusted, cat("holds ", std::to_string(content.bytes()), " bytes of content, signed were ", std::to_string(release.content_length)));
  if (content.finish_hex() != release.content_sha256) return fail(Code::untrusted, "the content's digest is not the one that was signed");
  if (::fchmod(out.get(), 0444) != 0) return fail_errno(cat("set mode of ", to.native()));
  if (::fsync(out.get()) != 0) return fail_errno(cat("fsync ", to.native()));
  return {};
}

// `content`: none, or instead of the download.
Result<SetInfo> fill(const trust::Release& release, const fs::path& download, ContentStream* content, const fs::path& folder, SetStore& sets,
                     const Steps& steps, const core::CancelToken& cancel) {
  const Expected expected{release.content_length, release.content_sha256, release.files, release.unpacked};
  // Each small file takes at least a block.
  if (content || release.format != "file") PICKET_TRY(storage::require_space(folder, release.unpacked + release.files * 4096, cat("unpacking ", release.path)));
  if (release.format == "file") PICKET_TRY(content ? write_file(release, *content, folder, steps, cancel) : place_file(release, download, folder, steps, cancel));
  else PICKET_TRY(content ? unpack(*content, folder, expected, steps, cancel) : unpack(download, folder, expected, steps, cancel));
  // A single file was hashed as it arrived; what was unpacked is read once more from where it now lies.
  const auto hash = release.hashes.find("sha256");
  const bool known = release.format == "file" && (content || (hash != release.hashes.end() && hash->second == release.content_sha256));
  steps("stage.sync");
  if (known) PICKET_TRY(sets.settle_one(folder / release.name, release.content_sha256, cancel));
  PICKET_LET(tree, known ? Result<Tree>(tree_of_one(release.name, release.length, release.content_sha256)) : sets.settle(folder, cancel));
  SetInfo info;
  info.component = release.component;
  info.cls = release.cls;
  info.variant = release.variant;
  info.version = release.version;
  info.content_sha256 = release.content_sha256;
  info.release = static_cast<std::uint64_t>(release.release);
  info.published = release.published;
  info.files = tree.files;
  info.bytes = tree.bytes;
  info.tree = tree.digest;
  return info;
}

Result<SetInfo> stage_any(const trust::Release& release, const fs::path& download, ContentStream* content, SetStore& sets, const Steps& steps,
                          const core::CancelToken& cancel) {
  PICKET_LET(folder, sets.new_staging(release.component));
  auto info = fill(release, download, content, folder, sets, steps, cancel);
  if (!info) {
    sets.drop_staging(release.component);
    return fail(std::move(info).error(), cat("stage ", release.path));
  }
  return info;
}

}  // namespace

Result<SetInfo> stage(const trust::Release& release, const fs::path& download, SetStore& sets, const Steps& steps, const core::CancelToken& cancel) {
  return stage_any(release, download, nullptr, sets, steps, cancel);
}

Result<SetInfo> stage(const trust::Release& release, ContentStream& content, SetStore& sets, const Steps& steps, const core::CancelToken& cancel) {
  return stage_any(release, {}, &content, sets, steps, cancel);
}

}  // namespace picket::update
