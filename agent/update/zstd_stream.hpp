// The uncompressed bytes of a .zst file, counted and hashed as they are handed out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"
#include "update/content_stream.hpp"

struct ZSTD_DCtx_s;

namespace picket::update {

class ZstdStream final : public ContentStream {
 public:
  [[nodiscard]] static Result<std::unique_ptr<ZstdStream>> open(const std::filesystem::path& file, std::uint64_t max_bytes);
  ~ZstdStream() override;

 private:
  explicit ZstdStream(std::uint64_t max_bytes) : ContentStream(max_bytes) {}
  [[nodiscard]] Result<std::string_view> produce() override;
  UniqueFd fd_;
  ZSTD_DCtx_s* context_ = nullptr;
  std::string in_, out_;
  std::size_t in_at_ = 0, in_end_ = 0;
  bool frame_open_ = false, at_end_ = false;
};

}  // namespace picket::update
