// Makes deltas: the publisher's side. Takes time and memory (six times the old content and more) where applying takes little.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "delta/delta.hpp"

namespace picket::delta {

struct MakeOptions {
  std::uint64_t memory = 64ull << 20;  // what applying it may take: no method that needs more is tried
};

struct Made {
  Method method = Method::splice;
  std::string bytes;
};

// Tries every method, chooses the smallest that is not read much slower than a larger one, and applies it: what is given
// comes out right. Code::too_large: no method can do with these lengths.
[[nodiscard]] Result<Made> make(std::string_view old, std::string_view fresh, const MakeOptions& options = {});
// One method alone.
[[nodiscard]] Result<std::string> make_with(Method method, std::string_view old, std::string_view fresh, const MakeOptions& options = {});

}  // namespace picket::delta
