// Digests that look random and are the same in each run, and a folder that goes away.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

#include <unistd.h>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "digests/make/collection.hpp"
#include "support/temporary_folder.hpp"

namespace picket::digests {

// SplitMix64; never twice the same for different numbers.
inline Sha256 digest_of(std::uint64_t number) {
  Sha256 out{};
  for (std::size_t word = 0; word < 4; ++word) {
    std::uint64_t z = number + (word + 1) * 0x9e3779b97f4a7c15ULL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    for (std::size_t i = 0; i < 8; ++i) out[word * 8 + i] = static_cast<std::uint8_t>(z >> (8 * i));
  }
  return out;
}
inline std::string hex_of(const Sha256& digest) { return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()}); }

class DigestsTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file(std::string_view name) const { return folder_ / name; }
  std::filesystem::path write(std::string_view name, std::string_view bytes) const {
    EXPECT_TRUE(write_file_atomic(file(name), bytes));
    return file(name);
  }
  [[nodiscard]] std::string read(std::string_view name) const { return read_file(file(name), 1u << 30).value(); }
  static void must(const Result<>& done) { ASSERT_TRUE(done) << done.error().message; }

  const support::TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
};

}  // namespace picket::digests
