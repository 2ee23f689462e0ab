// A folder as one stream of bytes, the same bytes on every machine: the publisher packs it, and an agent makes it again from what it installed,
// to have what a delta starts from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace picket::content {

struct Entry {
  std::string name;  // relative, "/" between parts and at the end of a folder
  bool is_folder = false, executable = false;
  std::uint64_t size = 0;
};

struct Listing {
  std::vector<Entry> entries;  // sorted by name
  std::uint64_t bytes = 0, files = 0;
  // At least as long as the tar.
  [[nodiscard]] std::uint64_t size_bound() const { return bytes + 2048 * (entries.size() + 1) + (1u << 16); }
};

// Only folders and regular files with UTF-8 names: anything else is Code::invalid and named. The folder itself may be a link, nothing below it.
[[nodiscard]] Result<Listing> list(const std::filesystem::path& folder);

using Sink = std::function<Result<>(std::string_view)>;
// A tar in GNU format: names as bytes and sorted, no times, owner 0, modes 0644 and 0755. Code::conflict: a file changed meanwhile.
[[nodiscard]] Result<> write_tar(const std::filesystem::path& folder, const Listing& listing, const Sink& sink);

}  // namespace picket::content
