// What deltas are applied to, and the stream of what they make.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"
#include "core/cancel.hpp"
#include "delta/delta.hpp"
#include "trust/release.hpp"
#include "update/content_stream.hpp"
#include "update/steps.hpp"

namespace picket::update {

// Bytes mapped from a file: the kernel may take the memory back at any time.
class Mapped {
 public:
  [[nodiscard]] static Result<Mapped> of(const UniqueFd& fd);
  Mapped(Mapped&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapped& operator=(Mapped&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapped();
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  explicit Mapped(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

// The uncompressed content of an installed set, made again: the file itself, or the tar of the folder in a nameless file beside it. Code::untrusted
// when it is not `sha256`: what is installed was packed by something else, or is damaged.
[[nodiscard]] Result<Mapped> content_of_set(const std::filesystem::path& set, std::string_view format, std::string_view sha256, const std::filesystem::path& scratch,
                                            const Steps& steps, const core::CancelToken& cancel);
// All of a stream in a nameless file in that folder, when it is what the release says.
[[nodiscard]] Result<Mapped> keep(ContentStream& stream, const trust::Release& release, const std::filesystem::path& scratch, const Steps& steps,
                                  const core::CancelToken& cancel);

// Bytes as they are, in pieces. Borrowed.
class MappedStream final : public ContentStream {
 public:
  explicit MappedStream(std::string_view bytes) : ContentStream(bytes.size()), left_(bytes) {}

 private:
  [[nodiscard]] Result<std::string_view> produce() override {
    const auto piece = left_.substr(0, std::size_t{1} << 17);
    left_.remove_prefix(piece.size());
    return piece;
  }
  std::string_view left_;
};

class PatchStream final : public ContentStream {
 public:
  // Both are borrowed.
  [[nodiscard]] static Result<std::unique_ptr<PatchStream>> open(std::string_view base, std::string_view delta, std::uint64_t max_bytes, std::uint64_t memory);

 private:
  PatchStream(std::unique_ptr<delta::Patch> patch, std::uint64_t max_bytes) : ContentStream(max_bytes), patch_(std::move(patch)) {}
  [[nodiscard]] Result<std::string_view> produce() override { return patch_->next(); }
  std::unique_ptr<delta::Patch> patch_;
};

}  // namespace picket::update
