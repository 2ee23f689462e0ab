#include "plugin_host/sealed_file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.hpp"

namespace picket::plugin_host {

namespace {

Result<> copy_bytes(int from, int to, std::uint64_t size) {
  off_t at = 0;
  while (static_cast<std::uint64_t>(at) < size) {
    const auto moved = ::sendfile(to, from, &at, size - static_cast<std::uint64_t>(at));
    if (moved < 0 && errno == EINTR) continue;
    if (moved < 0) return fail_errno("copy");
    if (moved == 0) return fail(Code::io, "the file became shorter while it was read");
  }
  return {};
}

Result<std::string> digest_of(int fd, std::uint64_t size) {
  void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (bytes == MAP_FAILED) return fail_errno("map");
  const auto hex = sha256_hex({static_cast<const char*>(bytes), size});
  ::munmap(bytes, size);
  return hex;
}

}  // namespace

Result<SealedFile> seal_copy(int source, const std::string& name, std::uint64_t max_bytes) {
  struct stat info {};
  if (::fstat(source, &info) != 0) return fail_errno("stat");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (!S_ISREG(info.st_mode) || size == 0) return fail(Code::invalid, "not a regular file with anything in it");
  if (size > max_bytes) return fail(Code::too_large, cat("holds ", std::to_string(size), " bytes, more than the limit of ", std::to_string(max_bytes)));
  SealedFile out;
  out.fd.reset(::memfd_create(name.substr(0, 200).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!out.fd) return fail_errno("memfd_create");
  PICKET_TRY(copy_bytes(source, out.fd.get(), size));
  // Seal first, hash after: nothing can come between.
  if (::fcntl(out.fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) return fail_errno("seal");
  PICKET_LET(hex, digest_of(out.fd.get(), size));
  out.sha256 = std::move(hex);
  return out;
}

}  // namespace picket::plugin_host
