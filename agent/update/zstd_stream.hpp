// The uncompressed bytes of a .zst file, counted and hashed as they are handed out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/files.hpp"
#include "base/result.hpp"

struct ZSTD_DCtx_s;

namespace picket::update {

class ZstdStream {
 public:
  // At most max_bytes come out: more is Code::untrusted, before they are handed out.
  [[nodiscard]] static Result<std::unique_ptr<ZstdStream>> open(const std::filesystem::path& file, std::uint64_t max_bytes);
  ~ZstdStream();

  [[nodiscard]] Result<std::string_view> next();  // valid until the next call; empty: the end
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::string finish_hex() { return digest_.finish_hex(); }  // after the end

 private:
  ZstdStream() = default;
  UniqueFd fd_;
  ZSTD_DCtx_s* context_ = nullptr;
  std::string in_, out_;
  std::size_t in_at_ = 0, in_end_ = 0;
  bool frame_open_ = false, at_end_ = false;
  std::uint64_t bytes_ = 0, max_bytes_ = 0;
  Digest digest_;
};

}  // namespace picket::update
