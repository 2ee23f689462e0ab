// A tar.zst becomes files in a folder, as a stream: memory does not depend on its size. What it holds is as hostile as its signer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.hpp"
#include "core/cancel.hpp"
#include "update/content_stream.hpp"
#include "update/steps.hpp"

namespace picket::update {

struct Expected {
  std::uint64_t content_length = 0;   // of the uncompressed tar
  std::string content_sha256;         // of the same
  std::uint64_t files = 0;            // regular files
  std::uint64_t unpacked = 0;         // their bytes
};

// `folder` exists and is empty. Only regular files and folders with plain relative names are made, never links or devices, never more
// bytes or files than expected. They are not yet flushed to disk (tree_digest does it). Code::untrusted names the member that is not acceptable. After an
// error the folder holds something and must be thrown away.
[[nodiscard]] Result<> unpack(const std::filesystem::path& archive, const std::filesystem::path& folder, const Expected& expected, const Steps& steps,
                              const core::CancelToken& cancel);

// The same for content that comes from elsewhere, read to its end.
[[nodiscard]] Result<> unpack(ContentStream& stream, const std::filesystem::path& folder, const Expected& expected, const Steps& steps, const core::CancelToken& cancel);

// A path that may be made below a folder: relative, UTF-8, no empty, "." or ".." part, no control character or backslash, at most 16 deep, parts of at most 255 bytes.
[[nodiscard]] Result<> check_member_path(std::string_view path);

}  // namespace picket::update
