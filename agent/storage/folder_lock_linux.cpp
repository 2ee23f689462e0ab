#include "storage/folder_lock.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace picket::storage {

Result<FolderLock> FolderLock::take(const std::filesystem::path& folder, std::string_view file_name) {
  const auto path = folder / file_name;
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(cat("open ", path.native()));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(cat("lock ", path.native()));
    char holder[32] = {};
    const auto got = ::pread(fd.get(), holder, sizeof holder - 1, 0);
    const std::string who = got > 0 ? cat(" (process ", std::string_view(holder, static_cast<std::size_t>(got)), ")") : std::string();
    return fail(Code::busy, cat(folder.native(), ": in use by another process", who));
  }
  const auto me = std::to_string(::getpid());
  if (::ftruncate(fd.get(), 0) == 0) (void)!::pwrite(fd.get(), me.data(), me.size(), 0);  // only for the message above; a full disk must not stop us
  remove_leftovers(folder);
  return FolderLock(std::move(fd));
}

}  // namespace picket::storage
