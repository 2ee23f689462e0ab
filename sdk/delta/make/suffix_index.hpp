// All suffixes of a text in order, to find the longest piece of it that another text begins with.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace picket::delta {

class SuffixIndex {
 public:
  static constexpr std::uint64_t max_text = (1ull << 31) - 2;

  // Borrows the text. Code::too_large beyond max_text.
  [[nodiscard]] static Result<SuffixIndex> build(std::string_view text);

  struct Match {
    std::size_t at = 0, length = 0;
  };
  [[nodiscard]] Match longest(std::string_view wanted) const;

 private:
  explicit SuffixIndex(std::string_view text) : text_(text) {}
  std::string_view text_;
  std::vector<std::int32_t> order_;
};

}  // namespace picket::delta
