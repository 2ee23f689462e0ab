// The uncompressed bytes of a release, counted and hashed as they are handed out, wherever they come from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace picket::update {

class ContentStream {
 public:
  virtual ~ContentStream() = default;

  // Valid until the next call; empty: the end. More than was signed is Code::untrusted, before it is handed out.
  [[nodiscard]] Result<std::string_view> next() {
    PICKET_LET(chunk, produce());
    if (chunk.size() > max_bytes_ - bytes_) return fail(Code::untrusted, cat("holds more than the ", std::to_string(max_bytes_), " bytes that were signed"));
    bytes_ += chunk.size();
    digest_.update(chunk);
    return chunk;
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::string finish_hex() { return digest_.finish_hex(); }  // after the end

 protected:
  explicit ContentStream(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}
  [[nodiscard]] virtual Result<std::string_view> produce() = 0;

 private:
  std::uint64_t bytes_ = 0, max_bytes_ = 0;
  Digest digest_;
};

}  // namespace picket::update
