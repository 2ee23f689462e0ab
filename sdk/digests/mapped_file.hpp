#pragma once

#include <filesystem>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace picket::digests {

// A file in memory, read where it lies. It must not shrink while it is mapped: sets of the update never change.
class MappedFile {
 public:
  MappedFile() = default;
  // Regular files of 1 to `most` bytes, no symbolic link.
  [[nodiscard]] static Result<MappedFile> open(const std::filesystem::path& path, std::uint64_t most);
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  // From now on it is read here and there: reading ahead would only fill memory.
  void expect_jumps();

 private:
  std::string_view bytes_;
};

}  // namespace picket::digests
