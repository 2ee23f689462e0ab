// What both sides of the splice method know about the place where they are.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "delta/echo.hpp"

namespace picket::delta {

inline constexpr std::uint64_t echo_from = 6;  // shorter runs of literals repeat nothing

class SpliceContext {
 public:
  void push(unsigned byte) { before_ = (before_ << 8) | byte; }
  // Bytes that were copied: only the last few matter.
  void after(std::string_view bytes) {
    for (const char c : bytes.substr(bytes.size() > 32 ? bytes.size() - 32 : 0)) {
      push(static_cast<std::uint8_t>(c));
      copied_[copied_count_++ % copied_.size()] = c;
    }
  }
  // Before a run of literals: what comes next in the old content, then what came last.
  void surround(Echo& echo, std::string_view old, std::uint64_t at) {
    echo.surroundings(old.substr(at, 64));
    std::array<char, 32> last{};
    const auto count = copied_count_ < copied_.size() ? copied_count_ : copied_.size();
    for (std::size_t i = 0; i < count; ++i) last[i] = copied_[(copied_count_ - count + i) % copied_.size()];
    echo.surroundings({last.data(), count});
    copied_count_ = 0;
  }
  [[nodiscard]] std::uint64_t before() const { return before_; }

 private:
  std::uint64_t before_ = 0;
  std::array<char, 32> copied_{};
  std::size_t copied_count_ = 0;
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
