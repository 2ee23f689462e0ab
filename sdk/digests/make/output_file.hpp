#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/files.hpp"

namespace picket::digests {

// A large file that is written in one go, and takes its name when it is whole; without commit() nothing stays.
class OutputFile {
 public:
  [[nodiscard]] static Result<OutputFile> create(const std::filesystem::path& path);
  OutputFile(OutputFile&& other) noexcept = default;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  [[nodiscard]] Result<> write(std::string_view bytes);
  // Over what was written before, not beyond it.
  [[nodiscard]] Result<> write_at(std::uint64_t offset, std::string_view bytes);
  [[nodiscard]] Result<> commit();

 private:
  OutputFile() = default;
  [[nodiscard]] Result<> flush();

  std::filesystem::path path_, temporary_;
  UniqueFd fd_;
  std::string buffer_;
};

}  // namespace picket::digests
