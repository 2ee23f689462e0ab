// Finds the longest repetition: what followed the last time the same bytes stood here, in all that was inserted and its surroundings.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace picket::delta {

class Echo {
 public:
  // What stands around the place: it is known, and what comes is like it.
  void surroundings(std::string_view bytes) {
    match_ = 0;
    for (const char c : bytes) push(static_cast<std::uint8_t>(c));
  }

  void push(std::uint8_t byte) {
    ring_[end_ & mask] = byte;
    ++end_;
    recent_ = (recent_ << 8) | byte;
    if (match_ != 0 && ring_[match_ & mask] == byte) {
      ++match_;
      ++length_;
    } else {
      match_ = 0;
      length_ = 0;
    }
    const auto slot = ((recent_ & 0xffff'ffffu) * 0x9e37'79b1u) >> 16;
    if (match_ == 0) {
      match_ = table_[slot];
      if (match_ != 0) {
        if (end_ - match_ >= mask) match_ = 0;
        while (match_ != 0 && length_ < 32 && length_ < match_ && ring_[(match_ - 1 - length_) & mask] == ring_[(end_ - 1 - length_) & mask]) ++length_;
        if (length_ == 0) match_ = 0;
      }
    }
    table_[slot] = end_;
  }

  // The byte that followed, or -1.
  [[nodiscard]] int guess() const { return match_ != 0 ? ring_[match_ & mask] : -1; }
  [[nodiscard]] unsigned length() const { return length_; }

 private:
  static constexpr std::uint32_t mask = (1u << 20) - 1;
  std::vector<std::uint8_t> ring_ = std::vector<std::uint8_t>(mask + 1);
  std::vector<std::uint32_t> table_ = std::vector<std::uint32_t>(1 << 16);
  std::uint32_t end_ = 0, match_ = 0, recent_ = 0;
  unsigned length_ = 0;
};

}  // namespace picket::delta
