#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "core/cancel.hpp"

namespace picket::update {

struct Tree {
  std::uint64_t files = 0, bytes = 0;
  std::string digest;  // hex; equal for equal names and contents, whatever the order of the walk; finds damage, not malice
};

// Told of each file once it was read; may replace it by an equal one.
using EachFile = std::function<Result<>(const std::filesystem::path& file, std::string_view sha256)>;

// Reads every file below the folder, in memory that depends on the longest list of names only. Anything but files and folders is
// Code::untrusted. With `each`, which makes the files last, the folders are made to last too.
[[nodiscard]] Result<Tree> tree_digest(const std::filesystem::path& folder, const core::CancelToken& cancel, const EachFile& each = {});
// The same for a folder of one file whose digest is known.
[[nodiscard]] Tree tree_of_one(std::string_view name, std::uint64_t bytes, std::string_view sha256_hex);
// Lower hex, of a regular file that is no link.
[[nodiscard]] Result<std::string> file_sha256(const std::filesystem::path& file, const core::CancelToken& cancel);

}  // namespace picket::update
