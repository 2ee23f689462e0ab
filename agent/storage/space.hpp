#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace picket::storage {

// What an unprivileged writer may still use on the file system of `folder`.
[[nodiscard]] Result<std::uint64_t> free_bytes(const std::filesystem::path& folder);
// Code::no_space, in words that say how much is missing: "download yara-rules 12 needs 100.0 MB, 3.2 MB are free on /var/lib/picket".
[[nodiscard]] Result<> require_space(const std::filesystem::path& folder, std::uint64_t bytes, std::string_view what);

}  // namespace picket::storage
