#include "digests/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/files.hpp"

namespace picket::digests {

Result<MappedFile> MappedFile::open(const std::filesystem::path& path, std::uint64_t most) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (!fd) return fail_errno("open");
  struct stat about {};
  if (::fstat(fd.get(), &about) != 0) return fail_errno("stat");
  if (!S_ISREG(about.st_mode)) return fail(Code::invalid, "not a regular file");
  if (about.st_size == 0) return fail(Code::invalid, "is empty");
  const auto size = static_cast<std::uint64_t>(about.st_size);
  if (size > most) return fail(Code::too_large, cat("holds ", std::to_string(size), " bytes, more than the limit of ", std::to_string(most)));
  void* const at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return fail_errno("map into memory");
  MappedFile out;
  out.bytes_ = {static_cast<const char*>(at), size};
  return out;
}

void MappedFile::expect_jumps() {
  if (!bytes_.empty()) ::madvise(const_cast<char*>(bytes_.data()), bytes_.size(), MADV_RANDOM);
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace picket::digests
