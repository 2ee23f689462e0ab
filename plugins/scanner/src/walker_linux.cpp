#include "walker.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <cerrno>
#include <cstring>

namespace scanner {
namespace {

constexpr std::size_t kMostLevels = 200;

// Non-blocking: a pipe or device that takes the place of a file after we looked cannot hold us.
constexpr int kFileFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

std::string reason(int error) {
  char buffer[128];
  return error == EACCES || error == EPERM ? "no permission to read it" : ::strerror_r(error, buffer, sizeof buffer);
}

// File systems whose files are the kernel's answers: of no use to a scanner, and some never end.
bool is_pseudo(int fd) {
  struct statfs about {};
  if (::fstatfs(fd, &about) != 0) return false;
  switch (static_cast<unsigned long>(about.f_type)) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
    case SELINUX_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEVPTS_SUPER_MAGIC:
    case BPF_FS_MAGIC:
    case EFIVARFS_MAGIC: return true;
    default: return false;
  }
}

Entry skipped(std::string path, std::string why) {
  Entry out;
  out.kind = Entry::Kind::skipped;
  out.path = std::move(path);
  out.why = std::move(why);
  return out;
}

}  // namespace

Walker::Walker(std::vector<std::string> paths, const std::string& store) : paths_(std::move(paths)) {
  struct stat about {};
  if (!store.empty() && ::stat(store.c_str(), &about) == 0) store_.emplace(about.st_dev, about.st_ino);
}

bool Walker::visit(int base, const char* name, std::string path, bool asked_for, Entry& out) {
  struct stat about {};
  if (::fstatat(base, name, &about, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT && !asked_for) return false;
    out = skipped(std::move(path), errno == ENOENT ? "does not exist" : reason(errno));
    return true;
  }
  const bool is_folder = S_ISDIR(about.st_mode);
  if (!is_folder && !S_ISREG(about.st_mode)) {
    if (!asked_for) return false;
    out = skipped(std::move(path), S_ISLNK(about.st_mode) ? "a symbolic link: not followed" : "neither a file nor a folder");
    return true;
  }
  picket::UniqueFd file(::openat(base, name, is_folder ? kFileFlags | O_DIRECTORY : kFileFlags));
  if (!file || ::fstat(file.get(), &about) != 0) {
    if ((errno == ENOENT || errno == ELOOP) && !asked_for) return false;
    out = skipped(std::move(path), reason(errno));
    return true;
  }
  if (is_folder) {
    if (levels_.size() >= kMostLevels) {
      out = skipped(std::move(path), "more than " + std::to_string(kMostLevels) + " folders deep");
      return true;
    }
    if (is_pseudo(file.get())) {
      out = skipped(std::move(path), "a file system of the kernel's, not of files");
      return true;
    }
    if (!asked_for && store_ == std::pair(about.st_dev, about.st_ino)) {
      out = skipped(std::move(path), "the agent's own databases, which hold what they look for");
      return true;
    }
    // A descriptor of its own for the stream of names: it closes that one.
    DIR* const folder = ::fdopendir(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
    if (folder == nullptr) {
      out = skipped(std::move(path), reason(errno));
      return true;
    }
    levels_.push_back({std::unique_ptr<DIR, CloseFolder>(folder), std::move(path)});
    return false;
  }
  if (!S_ISREG(about.st_mode)) return false;  // exchanged since we looked
  out.kind = Entry::Kind::file;
  out.path = std::move(path);
  out.file = std::move(file);
  out.about = about;
  return true;
}

Entry Walker::next() {
  Entry out;
  while (true) {
    if (levels_.empty()) {
      if (next_path_ == paths_.size()) return out;
      const std::string& path = paths_[next_path_++];
      if (visit(AT_FDCWD, path.c_str(), path, true, out)) return out;
      continue;
    }
    Level& top = levels_.back();
    errno = 0;
    const dirent* const found = ::readdir(top.folder.get());
    if (found == nullptr) {
      const int error = errno;
      const std::string path = std::move(top.path);
      levels_.pop_back();
      if (error != 0) return skipped(path, reason(error));
      continue;
    }
    if (std::strcmp(found->d_name, ".") == 0 || std::strcmp(found->d_name, "..") == 0) continue;
    if (found->d_type != DT_REG && found->d_type != DT_DIR && found->d_type != DT_UNKNOWN) continue;
    std::string path = top.path;
    if (path.back() != '/') path += '/';
    path += found->d_name;
    if (visit(::dirfd(top.folder.get()), found->d_name, std::move(path), false, out)) return out;
  }
}

}  // namespace scanner
