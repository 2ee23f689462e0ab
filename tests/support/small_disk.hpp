// A file system of a few megabytes for tests of a full disk: tmpfs in a mount namespace that only this process and its children see.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/files.hpp"
#include "base/result.hpp"

namespace picket::support {

class SmallDisk {
 public:
  // While the process has one thread. Fails where neither root nor user namespaces are to be had: the test is skipped with these words.
  [[nodiscard]] static Result<std::unique_ptr<SmallDisk>> mount(const std::filesystem::path& folder, std::uint64_t bytes) {
    PICKET_TRY(own_mounts());
    PICKET_TRY(make_folders(folder));
    if (::mount("tmpfs", folder.c_str(), "tmpfs", 0, cat("size=", std::to_string(bytes)).c_str()) != 0) return fail_errno("mount a tmpfs");
    return std::unique_ptr<SmallDisk>(new SmallDisk(folder));
  }
  ~SmallDisk() { ::umount2(folder_.c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  // Takes all that is free, to the last byte, in this file.
  static void fill(const std::filesystem::path& filler) {
    const UniqueFd fd(::open(filler.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    for (std::size_t piece = 64 * 1024; fd && piece > 0; piece /= 16) {
      const std::string bytes(piece, 'f');
      while (::write(fd.get(), bytes.data(), bytes.size()) > 0) {}
    }
  }

 private:
  explicit SmallDisk(std::filesystem::path folder) : folder_(std::move(folder)) {}
  [[nodiscard]] static Result<> own_mounts() {
    const auto uid = ::geteuid();
    const auto gid = ::getegid();
    if (::unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0) return fail_errno("a mount namespace of its own");
    if (uid != 0) {
      for (const auto& [file, text] : {std::pair("/proc/self/setgroups", std::string("deny")), std::pair("/proc/self/uid_map", cat("0 ", std::to_string(uid), " 1")),
                                       std::pair("/proc/self/gid_map", cat("0 ", std::to_string(gid), " 1"))}) {
        const UniqueFd fd(::open(file, O_WRONLY | O_CLOEXEC));
        if (!fd) return fail_errno(file);
        PICKET_TRY(write_all(fd.get(), text));
      }
    }
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail_errno("keep mounts from others");
    return {};
  }
  std::filesystem::path folder_;
};

}  // namespace picket::support
