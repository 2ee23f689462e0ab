// Files that are read under a limit and written whole or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace picket {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// Code::not_found when absent; Code::too_large when it holds more than max_bytes; regular files only.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes);
// To see that another file, or another content, lies under a path. None: all zero.
struct FileStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
};
[[nodiscard]] FileStamp stamp_of(const std::filesystem::path& path);
[[nodiscard]] Result<std::string> read_all(int fd, std::uint64_t max_bytes);
[[nodiscard]] Result<> write_all(int fd, std::string_view bytes);

// Temporary name in the same folder, fsync, rename, fsync of the folder. A reader sees the old or the new file; a power cut too. Who is killed
// inside leaves the temporary file behind: see remove_leftovers.
[[nodiscard]] Result<> write_file_atomic(const std::filesystem::path& path, std::string_view bytes, unsigned mode = 0644);
struct NewFile {
  std::filesystem::path path;
  std::string bytes;
};
// Each as write_file_atomic, and those before it first, but on the disk together: one wait for a group, not two for each file. When one cannot
// be written none takes its place.
[[nodiscard]] Result<> write_files_atomic(std::span<const NewFile> files, unsigned mode = 0644);
// Where something is written before it takes this name; another one each time, and hidden.
[[nodiscard]] std::filesystem::path temporary_beside(const std::filesystem::path& path);
// Removes what was never renamed from such a name, in this folder and not below; no folder is fine. Only for who alone writes in this folder: it
// would take away what another is just writing.
void remove_leftovers(const std::filesystem::path& folder);
[[nodiscard]] Result<> sync_folder(const std::filesystem::path& folder);
[[nodiscard]] Result<> make_folders(const std::filesystem::path& folder, unsigned mode = 0755);
// Removes a file and makes its absence last; absent already is fine.
[[nodiscard]] Result<> remove_file(const std::filesystem::path& path);

}  // namespace picket
