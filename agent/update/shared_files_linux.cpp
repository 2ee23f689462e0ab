#include "update/shared_files.hpp"

#include <cerrno>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.hpp"
#include "update/tree_digest.hpp"

namespace picket::update {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemporary = ".lent";

Result<> flush(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail_errno(cat("open ", file.native()));
  if (::fsync(fd.get()) != 0) return fail_errno(cat("fsync ", file.native()));
  return {};
}

}  // namespace

Result<SharedFiles> SharedFiles::open(fs::path folder, Steps steps) {
  PICKET_TRY(make_folders(folder, 0700));
  return SharedFiles(std::move(folder), std::move(steps));
}

Result<> SharedFiles::settle(const fs::path& file, std::string_view sha256, const core::CancelToken& cancel) {
  struct stat staged {}, known {};
  if (::lstat(file.c_str(), &staged) != 0) return fail_errno(cat("stat ", file.native()));
  if (staged.st_size == 0) return flush(file);
  // Names of one file share its mode: what may be executed is kept apart.
  const auto kept = folder_ / cat(sha256, (staged.st_mode & 0100) != 0 ? "x" : "");
  if (::lstat(kept.c_str(), &known) == 0 && known.st_size == staged.st_size && known.st_mode == staged.st_mode) {
    auto now = file_sha256(kept, cancel);
    if (!now && now.error().code == Code::cancelled) return fail(std::move(now).error());
    if (now && *now == sha256 && lend(kept, file)) return {};
  }
  PICKET_TRY(flush(file));
  // From here on for the next one only. A file system without hard links, or without room for a name, has each file by itself.
  steps_("share.keep");
  (void)::unlink(kept.c_str());
  [[maybe_unused]] const int is_kept = ::link(file.c_str(), kept.c_str());
  return {};
}

bool SharedFiles::lend(const fs::path& kept, const fs::path& file) {
  const auto temporary = folder_ / kTemporary;
  (void)::unlink(temporary.c_str());
  steps_("share.link");
  if (::link(kept.c_str(), temporary.c_str()) != 0) return false;  // it may have as many names as the file system allows
  steps_("share.rename");
  bool done = ::rename(temporary.c_str(), file.c_str()) == 0;
  if (!done && errno == EACCES) {
    // The folder of a set is read-only, which stops all but root.
    const auto folder = file.parent_path();
    struct stat info {};
    if (::stat(folder.c_str(), &info) == 0 && ::chmod(folder.c_str(), 0755) == 0) {
      done = ::rename(temporary.c_str(), file.c_str()) == 0;
      ::chmod(folder.c_str(), info.st_mode & 07777);
    }
  }
  (void)::unlink(temporary.c_str());  // rename leaves it when both are one file already
  return done;
}

std::size_t SharedFiles::sweep() {
  std::vector<fs::path> unused;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    struct stat info {};
    if (::lstat(at->path().c_str(), &info) == 0 && (info.st_nlink <= 1 || at->path().filename() == kTemporary)) unused.push_back(at->path());
  }
  for (const auto& path : unused) {
    steps_("share.sweep");
    (void)::unlink(path.c_str());
  }
  return unused.size();
}

}  // namespace picket::update
