#include "base/folders.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.hpp"

namespace picket {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kPiece = 8u << 20;

Result<> copy_bytes(int from, int to, std::string_view what) {
  for (;;) {
    const auto count = ::copy_file_range(from, nullptr, to, nullptr, kPiece, 0);
    if (count == 0) return {};
    if (count > 0) continue;
    if (errno == EINTR) continue;
    if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) return fail_errno(what);
    break;
  }
  std::string piece(128 * 1024, '\0');
  for (;;) {
    const auto count = ::read(from, piece.data(), piece.size());
    if (count == 0) return {};
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(what);
    if (auto written = write_all(to, std::string_view(piece).substr(0, static_cast<std::size_t>(count))); !written) return fail(std::move(written).error(), what);
  }
}

}  // namespace

Result<> copy_whole_file(const fs::path& from, const fs::path& to) {
  const auto what = cat("copy ", from.native(), " to ", to.native());
  const UniqueFd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));  // a pipe must not make it wait
  if (!in) return fail_errno(cat("open ", from.native()));
  struct stat info {};
  if (::fstat(in.get(), &info) != 0) return fail_errno(what);
  if (!S_ISREG(info.st_mode)) return fail(Code::invalid, cat(from.native(), ": no regular file"));
  const UniqueFd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!out) return fail_errno(cat("create ", to.native()));
  PICKET_TRY(copy_bytes(in.get(), out.get(), what));
  if (::fsync(out.get()) != 0) return fail_errno(what);
  return {};
}

void start_writing(int fd) { (void)::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); }

Result<> sync_tree(const fs::path& folder) {
  std::error_code error;
  PICKET_TRY(sync_folder(folder));
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (at->symlink_status(error).type() == fs::file_type::directory) PICKET_TRY(sync_folder(at->path()));
  if (error) return fail(Code::io, cat("read ", folder.native(), ": ", error.message()));
  return {};
}

Result<> replace_folder(const fs::path& fresh, const fs::path& folder) {
  const auto parent = folder.has_parent_path() ? folder.parent_path() : fs::path(".");
  std::error_code ignored;
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) == 0) {
    PICKET_TRY(sync_folder(parent));
    fs::remove_all(fresh, ignored);  // now the old one
    return {};
  }
  if (errno == ENOENT) {  // there was none
    if (::rename(fresh.c_str(), folder.c_str()) != 0) return fail_errno(cat("rename ", fresh.native(), " to ", folder.native()));
    return sync_folder(parent);
  }
  if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) return fail_errno(cat("put ", fresh.native(), " in the place of ", folder.native()));
  // Drives that are formatted for everybody's computer. Out of sight: NAME.old may be somebody's own.
  const auto old = parent / cat(".", folder.filename().native(), ".old");
  fs::remove_all(old, ignored);
  if (::rename(folder.c_str(), old.c_str()) != 0) return fail_errno(cat("rename ", folder.native()));
  if (::rename(fresh.c_str(), folder.c_str()) != 0) {
    const int why = errno;
    (void)::rename(old.c_str(), folder.c_str());
    return fail_errno(cat("rename ", fresh.native(), " to ", folder.native()), why);
  }
  PICKET_TRY(sync_folder(parent));
  fs::remove_all(old, ignored);
  return {};
}

}  // namespace picket
