#pragma once

#include <filesystem>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"

namespace picket::storage {

// Held until destroyed, or until the process ends in whatever way: a kill leaves nothing behind that must be cleaned. Who holds it alone writes in
// the folder itself, and begins without what a write that was cut off left there.
class FolderLock {
 public:
  // Code::busy names the folder and, where known, the process that holds it.
  [[nodiscard]] static Result<FolderLock> take(const std::filesystem::path& folder, std::string_view file_name = "lock");

 private:
  explicit FolderLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace picket::storage
