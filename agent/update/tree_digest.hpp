#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "core/cancel.hpp"

namespace picket::update {

struct Tree {
  std::uint64_t files = 0, bytes = 0;
  std::string digest;  // hex; equal for equal names and contents, whatever the order of the walk; finds damage, not malice
};

// Reads every file below the folder, in constant memory. Anything but files and folders is Code::untrusted. `flush`: and makes each file
// and folder last (one by one: once the first has forced the file system's journal out, the others cost little; syncfs would wait for
// everything that anybody wrote).
[[nodiscard]] Result<Tree> tree_digest(const std::filesystem::path& folder, const core::CancelToken& cancel, bool flush = false);
// The same for a folder of one file whose digest is known.
[[nodiscard]] Tree tree_of_one(std::string_view name, std::uint64_t bytes, std::string_view sha256_hex);

}  // namespace picket::update
