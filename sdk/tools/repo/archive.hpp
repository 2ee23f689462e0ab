// From a folder or a file to the bytes of a target, the same bytes every time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/progress.hpp"
#include "base/result.hpp"

namespace picket::repo {

struct Packed {
  std::uint64_t length = 0;          // of the target
  std::string sha256;
  std::uint64_t content_length = 0;  // of what the target holds when uncompressed
  std::string content_sha256;
  std::uint64_t files = 0, unpacked = 0;
};

// A tar (GNU format, names sorted, no times, owner 0, modes 0644/0755) compressed with zstd, written to `out`. Only folders and regular
// files with UTF-8 names: anything else is Code::invalid and named. Whoever calls it alone writes in the folder of `out`: here and in pack_file.
[[nodiscard]] Result<Packed> pack_folder(const std::filesystem::path& folder, const std::filesystem::path& out, int level, Progress& progress);
// The file as it is.
[[nodiscard]] Result<Packed> pack_file(const std::filesystem::path& file, const std::filesystem::path& out, Progress& progress);

// Reads a target again: its length and digest, and those of what it holds (`compressed`: unpacks zstd while reading, up to
// max_content bytes). files and unpacked stay 0.
[[nodiscard]] Result<Packed> measure(const std::filesystem::path& target, bool compressed, std::uint64_t max_content, Progress& progress);

// What a target holds, uncompressed, in memory. Code::untrusted when it is not `length` bytes.
[[nodiscard]] Result<std::string> read_content(const std::filesystem::path& target, bool compressed, std::uint64_t length);

}  // namespace picket::repo
