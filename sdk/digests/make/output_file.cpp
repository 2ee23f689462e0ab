#include "digests/make/output_file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace picket::digests {

Result<OutputFile> OutputFile::create(const std::filesystem::path& path) {
  OutputFile out;
  const auto temporary = temporary_beside(path);
  out.fd_.reset(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (!out.fd_) return fail_errno(cat("create ", temporary.native()));
  out.path_ = path;
  out.temporary_ = temporary;
  return out;
}

OutputFile::~OutputFile() {
  if (fd_) ::unlink(temporary_.c_str());
}

Result<> OutputFile::write(std::string_view bytes) {
  constexpr std::size_t kBuffer = 1u << 18;
  buffer_.append(bytes);
  return buffer_.size() < kBuffer ? Result<>() : flush();
}

Result<> OutputFile::flush() {
  auto written = write_all(fd_.get(), buffer_);
  buffer_.clear();
  if (!written) return fail(std::move(written).error(), path_.native());
  return {};
}

Result<> OutputFile::write_at(std::uint64_t offset, std::string_view bytes) {
  PICKET_TRY(flush());
  while (!bytes.empty()) {
    const auto put = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(cat("write ", path_.native()));
    bytes.remove_prefix(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

Result<> OutputFile::commit() {
  PICKET_TRY(flush());
  if (::fchmod(fd_.get(), 0644) != 0) return fail_errno(cat("set mode of ", temporary_.native()));
  if (::fsync(fd_.get()) != 0) return fail_errno(cat("fsync ", temporary_.native()));
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return fail_errno(cat("rename to ", path_.native()));
  fd_.reset();
  return sync_folder(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
}

}  // namespace picket::digests
