#include "file_source/store.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <boost/json.hpp>

#include "file_source/location.hpp"

namespace file_source {
namespace {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string reason(int error) {
  char buffer[128];
  return ::strerror_r(error, buffer, sizeof buffer);
}

Failure base_failure(const std::string& base, int error) {
  switch (error) {
    case ENOENT: return {PICKET_E_UNAVAILABLE, "folder " + base + " does not exist: is the drive plugged in?", true};
    case ENOTDIR: return {PICKET_E_INVALID, base + " is not a folder"};
    case EACCES:
    case EPERM: return {PICKET_E_DENIED, "folder " + base + ": no permission to read it"};
    default: return {PICKET_E_UNAVAILABLE, "folder " + base + ": " + reason(error)};
  }
}

Failure file_failure(const std::string& base, const std::string& path, int error) {
  const std::string name = base + "/" + path;
  switch (error) {
    case ENOENT:
    case ENOTDIR: return {PICKET_E_NOT_FOUND, name + " does not exist"};
    case EACCES:
    case EPERM: return {PICKET_E_DENIED, name + ": no permission to read it"};
    case EXDEV:
    case ELOOP: return {PICKET_E_DENIED, name + " leads out of the folder by a link: not followed"};
    case EIO:
    case ENODEV:
    case ENXIO: return {PICKET_E_IO, name + ": " + reason(error)};
    default: return {PICKET_E_UNAVAILABLE, name + ": " + reason(error)};
  }
}

// Non-blocking, so that a named pipe in the folder cannot hold us.
constexpr int kFileFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

// Kernels before 5.6, or a sandbox without openat2: part by part, following no link at all.
int open_part_by_part(int base, const std::vector<std::string>& parts) {
  Fd folder(::fcntl(base, F_DUPFD_CLOEXEC, 0));
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    if (folder.get() < 0) return -1;
    folder = Fd(::openat(folder.get(), parts[i].c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  return folder.get() < 0 ? -1 : ::openat(folder.get(), parts.back().c_str(), kFileFlags | O_NOFOLLOW);
}

int open_beneath(int base, const std::string& path, const std::vector<std::string>& parts) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(kFileFlags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const auto fd = ::syscall(SYS_openat2, base, path.c_str(), &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    if (errno == ENOSYS || errno == EPERM) return open_part_by_part(base, parts);
    if (errno != EAGAIN && errno != EINTR) return -1;  // EAGAIN: somebody renamed something meanwhile
  }
  return -1;
}

class RealFile final : public File {
 public:
  RealFile(Fd fd, std::uint64_t size, std::string name) : fd_(std::move(fd)), size_(size), name_(std::move(name)) {
    (void)::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  std::uint64_t size() const override { return size_; }
  const std::string& name() const override { return name_; }
  Outcome<std::size_t> read(std::uint64_t offset, char* into, std::size_t count) override {
    std::size_t got = 0;
    while (got < count) {
      const ssize_t n = ::pread(fd_.get(), into + got, count - got, static_cast<off_t>(offset + got));
      if (n == 0) break;
      if (n < 0) {
        if (errno == EINTR) continue;
        return failed(errno == ESTALE || errno == ENOTCONN ? PICKET_E_UNAVAILABLE : PICKET_E_IO, "read " + name_ + ": " + reason(errno));
      }
      got += static_cast<std::size_t>(n);
    }
    return got;
  }

 private:
  Fd fd_;
  std::uint64_t size_;
  std::string name_;
};

class LocalStore final : public Store {
 public:
  Outcome<> check(const picket::source::v1::Source& source) const override {
    if (auto base = base_folder(source.location()); !base) return tl::unexpected(base.error());
    if (source.options_json().empty()) return {};
    boost::system::error_code error;
    const auto options = boost::json::parse(source.options_json(), error);
    if (error || !options.is_object()) return failed(PICKET_E_INVALID, "options of source '" + source.name() + "' are not a JSON object");
    for (const auto& option : options.get_object())
      return failed(PICKET_E_INVALID, "source '" + source.name() + "': a folder knows no option '" + std::string(option.key()) + "'");
    return {};
  }

  Outcome<> probe(const picket::source::v1::Source& source) override {
    const auto base = base_folder(source.location());
    if (!base) return tl::unexpected(base.error());
    const Fd folder(::open(base->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0) return tl::unexpected(base_failure(*base, errno));
    struct stat about {};
    if (::fstatat(folder.get(), "metadata", &about, 0) != 0 || !S_ISDIR(about.st_mode))
      return failed(PICKET_E_NOT_FOUND, "folder " + *base + " holds no repository: there is no folder metadata in it");
    return {};
  }

  Outcome<std::unique_ptr<File>> open(const picket::source::v1::Source& source, const std::vector<std::string>& parts, Wait) override {
    const auto base = base_folder(source.location());
    if (!base) return tl::unexpected(base.error());
    const Fd folder(::open(base->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0) return tl::unexpected(base_failure(*base, errno));
    std::string path;
    for (const auto& part : parts) path.append(path.empty() ? "" : "/").append(part);
    Fd file(open_beneath(folder.get(), path, parts));
    if (file.get() < 0) return tl::unexpected(file_failure(*base, path, errno));
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return tl::unexpected(file_failure(*base, path, errno));
    if (!S_ISREG(about.st_mode)) return failed(PICKET_E_NOT_FOUND, *base + "/" + path + " is not a regular file");
    return std::make_unique<RealFile>(std::move(file), static_cast<std::uint64_t>(about.st_size), *base + "/" + path);
  }
};

}  // namespace

std::unique_ptr<Store> local_store() { return std::make_unique<LocalStore>(); }

}  // namespace file_source
