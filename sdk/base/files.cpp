#include "base/files.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "base/folders.hpp"

namespace picket {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

FileStamp stamp_of(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  const auto in_ns = [](const timespec& time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
  return {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size), in_ns(info.st_mtim), in_ns(info.st_ctim)};
}

Result<std::string> read_all(int fd, std::uint64_t max_bytes) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return fail_errno("stat");
  std::string out;
  if (S_ISREG(info.st_mode)) {
    if (static_cast<std::uint64_t>(info.st_size) > max_bytes)
      return fail(Code::too_large, cat("holds ", std::to_string(info.st_size), " bytes, more than the limit of ", std::to_string(max_bytes)));
    out.reserve(static_cast<std::size_t>(info.st_size) + 1);
  }
  char buffer[65536];
  for (;;) {
    const auto got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read");
    if (got == 0) return out;
    if (out.size() + static_cast<std::size_t>(got) > max_bytes)
      return fail(Code::too_large, cat("holds more than the limit of ", std::to_string(max_bytes), " bytes"));
    out.append(buffer, static_cast<std::size_t>(got));
  }
}

Result<std::string> read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // never waits for a FIFO's writer
  if (!fd) return fail_errno(cat("open ", path.native()));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail_errno(cat("stat ", path.native()));
  if (!S_ISREG(info.st_mode)) return fail(Code::invalid, cat(path.native(), ": not a regular file"));
  auto bytes = read_all(fd.get(), max_bytes);
  if (!bytes) return fail(std::move(bytes).error(), path.native());
  return bytes;
}

Result<> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno("write");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

namespace {

constexpr std::size_t kTagBytes = 6;
constexpr std::string_view kTemporaryEnd = ".tmp";

std::filesystem::path folder_of(const std::filesystem::path& path) { return path.has_parent_path() ? path.parent_path() : std::filesystem::path("."); }

// As temporary_beside makes them: ".NAME.TAG.tmp".
bool is_temporary(std::string_view name) {
  if (!name.starts_with('.') || !name.ends_with(kTemporaryEnd)) return false;
  name.remove_suffix(kTemporaryEnd.size());
  const auto dot = name.rfind('.');
  const auto tag = name.substr(dot + 1);
  return dot > 1 && tag.size() == 2 * kTagBytes && tag.find_first_not_of("0123456789abcdef") == tag.npos;
}

// Beside its final place, until it is renamed; removed when it never is.
class Temporary {
 public:
  [[nodiscard]] static Result<Temporary> write(const std::filesystem::path& path, std::string_view bytes, unsigned mode) {
    Temporary out;
    out.to_ = path;
    out.name_ = temporary_beside(path);
    out.fd_ = UniqueFd(::open(out.name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!out.fd_) return fail_errno(cat("create ", std::exchange(out.name_, {}).native()));
    if (::fchmod(out.fd_.get(), mode) != 0) return fail(fail_errno("set mode").value(), out.what());
    if (auto written = write_all(out.fd_.get(), bytes); !written) return fail(std::move(written).error(), out.what());
    return out;
  }
  Temporary(Temporary&& other) noexcept : to_(std::move(other.to_)), name_(std::exchange(other.name_, {})), fd_(std::move(other.fd_)) {}
  ~Temporary() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] Result<> sync() {
    if (::fsync(fd_.get()) != 0) return fail(fail_errno("fsync").value(), what());
    return {};
  }
  [[nodiscard]] Result<> rename() {
    if (::rename(name_.c_str(), to_.c_str()) != 0) return fail(fail_errno("rename").value(), what());
    name_.clear();
    return {};
  }

 private:
  Temporary() = default;
  [[nodiscard]] std::string what() const { return cat("write ", to_.native()); }
  std::filesystem::path to_, name_;
  UniqueFd fd_;
};

}  // namespace

Result<> write_file_atomic(const std::filesystem::path& path, std::string_view bytes, unsigned mode) {
  PICKET_LET(temporary, Temporary::write(path, bytes, mode));
  PICKET_TRY(temporary.sync());
  PICKET_TRY(temporary.rename());
  return sync_folder(folder_of(path));
}

Result<> write_files_atomic(std::span<const NewFile> files, unsigned mode) {
  std::vector<Temporary> temporaries;
  for (const auto& file : files) {
    PICKET_LET(temporary, Temporary::write(file.path, file.bytes, mode));
    start_writing(temporary.fd());
    temporaries.push_back(std::move(temporary));
  }
  for (auto& temporary : temporaries) PICKET_TRY(temporary.sync());
  std::vector<std::filesystem::path> folders;
  for (std::size_t i = 0; i < files.size(); ++i) {
    PICKET_TRY(temporaries[i].rename());
    auto folder = folder_of(files[i].path);
    if (std::find(folders.begin(), folders.end(), folder) == folders.end()) folders.push_back(std::move(folder));
  }
  for (const auto& folder : folders) PICKET_TRY(sync_folder(folder));
  return {};
}

std::filesystem::path temporary_beside(const std::filesystem::path& path) {
  return folder_of(path) / cat(".", path.filename().native(), ".", to_hex(random_bytes(kTagBytes)), kTemporaryEnd);
}

void remove_leftovers(const std::filesystem::path& folder) {
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    if (is_temporary(at->path().filename().native()) && at->symlink_status(unknown).type() == std::filesystem::file_type::regular) ::unlink(at->path().c_str());
  }
}

Result<> sync_folder(const std::filesystem::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(cat("open folder ", folder.native()));
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return fail_errno(cat("fsync folder ", folder.native()));
  return {};
}

Result<> make_folders(const std::filesystem::path& folder, unsigned mode) {
  if (folder.empty() || ::mkdir(folder.c_str(), mode) == 0) return {};
  if (errno == ENOENT) {
    PICKET_TRY(make_folders(folder.parent_path(), mode));
    if (::mkdir(folder.c_str(), mode) == 0) return {};
  }
  struct stat info {};
  const int why = errno;
  if (::stat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
  return fail_errno(cat("create folder ", folder.native()), why == EEXIST ? ENOTDIR : why);
}

Result<> remove_file(const std::filesystem::path& path) {
  if (::unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(cat("remove ", path.native()));
  }
  return sync_folder(folder_of(path));
}

}  // namespace picket
