#include "storage/space.hpp"

#include <string>

#include <sys/statvfs.h>

#include "base/progress.hpp"

namespace picket::storage {

Result<std::uint64_t> free_bytes(const std::filesystem::path& folder) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0) return fail_errno(cat("ask for free space on ", folder.native()));
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<> require_space(const std::filesystem::path& folder, std::uint64_t bytes, std::string_view what) {
  PICKET_LET(have, free_bytes(folder));
  if (have >= bytes) return {};
  return fail(Code::no_space, cat(what, " needs ", human_bytes(bytes), ", ", human_bytes(have), " are free on ", folder.native()));
}

}  // namespace picket::storage
