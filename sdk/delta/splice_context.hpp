// What both sides of the splice method know about the place where they are.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "delta/echo.hpp"

namespace picket::delta {

inline constexpr std::uint64_t echo_from = 6;  // shorter runs of literals repeat nothing

class SpliceContext {
 public:
  void push(unsigned byte) { before_ = (before_ << 8) | byte; }
  // Bytes that were copied: only the last few matter.
  void after(std::string_view bytes) {
    if (bytes.size() >= copied_.size()) {
      std::memcpy(copied_.data(), bytes.data() + bytes.size() - copied_.size(), copied_.size());
      count_ = copied_.size();
    } else {
      const auto kept = std::min(count_, copied_.size() - bytes.size());
      std::memmove(copied_.data(), copied_.data() + count_ - kept, kept);
      std::memcpy(copied_.data() + kept, bytes.data(), bytes.size());
      count_ = kept + bytes.size();
    }
    for (const char c : bytes.substr(bytes.size() > 8 ? bytes.size() - 8 : 0)) push(static_cast<std::uint8_t>(c));
  }
  // Before a run of literals: what comes next in the old content, then what came last.
  void surround(Echo& echo, std::string_view old, std::uint64_t at) {
    echo.surroundings(old.substr(at, 64));
    echo.surroundings({copied_.data(), count_});
    count_ = 0;
  }
  [[nodiscard]] std::uint64_t before() const { return before_; }

 private:
  std::uint64_t before_ = 0;
  std::array<char, 32> copied_{};
  std::size_t count_ = 0;
};

inline unsigned expected(std::string_view old, std::uint64_t at) { return at < old.size() ? static_cast<std::uint8_t>(old[at]) : 0; }

inline std::uint32_t load_word(std::string_view bytes, std::uint64_t at) {
  std::uint32_t out = 0;
  for (unsigned i = 0; i < 4; ++i) out |= std::uint32_t{static_cast<std::uint8_t>(bytes[at + i])} << (8 * i);
  return out;
}
inline std::array<char, 4> store_word(std::uint32_t word) {
  return {static_cast<char>(word), static_cast<char>(word >> 8), static_cast<char>(word >> 16), static_cast<char>(word >> 24)};
}

}  // namespace picket::delta
