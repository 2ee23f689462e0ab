// A copy in memory that nobody can change any more: what was hashed is what is loaded.
#pragma once

#include <cstdint>
#include <string>

#include "base/files.hpp"
#include "base/result.hpp"

namespace picket::plugin_host {

struct SealedFile {
  UniqueFd fd;         // close-on-exec memfd with all seals
  std::string sha256;  // of exactly the sealed bytes
};

// Copies a regular file. Code::too_large over max_bytes; Code::io also when the file changes its size meanwhile.
[[nodiscard]] Result<SealedFile> seal_copy(int source, const std::string& name, std::uint64_t max_bytes);

}  // namespace picket::plugin_host
