// The binary fuse filter of one shard (Graf and Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor Filters", 2022): a key's fingerprint is
// the xor of three bytes, one from each of three neighbouring segments. Four would need a third of a bit less for a digest, and a lookup a third
// longer, which is nothing but waiting for those bytes. Builder and reader share this arithmetic.
#pragma once

#include <array>
#include <cstdint>

namespace picket::digests::fuse {

inline constexpr std::uint32_t kArity = 3;

struct Shape {
  std::uint32_t segments = 0;      // where the first of the three bytes may lie
  std::uint32_t segment_bits = 0;  // log2 of a segment's length
  [[nodiscard]] std::uint64_t bytes() const { return (std::uint64_t{segments} + kArity - 1) << segment_bits; }
};

// One to one, so that different keys stay different.
[[nodiscard]] inline std::uint64_t mix(std::uint64_t key, std::uint64_t seed) {
  std::uint64_t h = key + seed;
  h = (h ^ h >> 33) * 0xff51afd7ed558ccdULL;
  h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ULL;
  return h ^ h >> 33;
}

// Not the bits that choose the places.
[[nodiscard]] inline std::uint8_t fingerprint(std::uint64_t hash) { return static_cast<std::uint8_t>(hash * 0x9e3779b97f4a7c15ULL >> 56); }

// Each lies below shape.bytes(): the high bits of the hash choose the first segment and the place in it, 14 bits each the other places.
[[nodiscard]] inline std::array<std::uint32_t, kArity> places(std::uint64_t hash, Shape shape) {
  const std::uint32_t length = 1u << shape.segment_bits, mask = length - 1;
  // The high half of a product of 64 and at most 35 bits, without a type that the standard does not have.
  const std::uint64_t room = std::uint64_t{shape.segments} << shape.segment_bits;
  const auto first = static_cast<std::uint32_t>(((hash >> 32) * room + ((hash & 0xFFFFFFFF) * room >> 32)) >> 32);
  const auto bits = [&](unsigned shift) { return static_cast<std::uint32_t>(hash >> shift) & mask; };
  return {first, (first + length) ^ bits(0), (first + 2 * length) ^ bits(14)};
}

}  // namespace picket::digests::fuse
