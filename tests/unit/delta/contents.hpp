// What the tests of this folder make deltas of, and what comes out of them.
#pragma once

#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "delta/delta.hpp"

namespace picket::delta {

inline std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random());
  return out;
}

inline std::string applied(std::string_view old, std::string_view delta, std::uint64_t length) {
  std::string out;
  const auto done = apply(old, delta, {length}, [&](std::string_view bytes) {
    out += bytes;
    return Result<>{};
  });
  EXPECT_TRUE(done) << done.error().message;
  return out;
}

}  // namespace picket::delta
