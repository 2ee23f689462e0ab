// The bytes of both forms. All numbers are little-endian; digests are compared as bytes, their first 8 bytes as one big-endian number.
//
// Header, 64 bytes
//    0  8  "PKDIGFUL" or "PKDIGLIT"
//    8  4  version: full 1, light 2
//   12  4  full: bits of the index; light: shards
//   16  8  digests in it
//   24 24  of these untrusted, abusable, trusted: 8 bytes each
//   48  4  full: entries
//   52  4  full: bytes of a reference: 0 (only one entry), 1, 2 or 4
//   56  8  full: bytes of texts; light: bytes of fingerprints
//
// full, after the header, without gaps, to the end of the file
//   index        4 * (2^bits + 1)   how many digests have first bits below i
//   digests      32 * digests       ascending, none twice
//   references   size * digests     which entry a digest has
//   entries      8 * entries        verdict (1), length of the category (1), of the name (2), where they begin in the texts (4)
//   texts                           category, then name; UTF-8
//
// light, after the header
//   shards       32 * shards        first 8 bytes of the least digest (8; 0 in the first shard), seed (8), where its fingerprints begin (8),
//                                   segments (4), log2 of a segment's length (4)
//   fingerprints                    1 byte each: (segments + 2) * length for each shard, without gaps
#pragma once

#include <endian.h>

#include <cstdint>
#include <cstring>
#include <string_view>

#include "digests/digests.hpp"

namespace picket::digests::format {

inline constexpr std::string_view kFullMagic = "PKDIGFUL", kLightMagic = "PKDIGLIT";
[[nodiscard]] inline std::uint32_t version_of(std::string_view magic) { return magic == kLightMagic ? 2 : 1; }
inline constexpr std::uint64_t kHeaderBytes = 64, kDigestBytes = 32, kEntryBytes = 8, kShardBytes = 32;
inline constexpr std::uint64_t kMostDigests = std::uint64_t{1} << 30;
inline constexpr std::uint32_t kMostIndexBits = 26, kMostEntries = 1u << 24, kMostShards = 1u << 16;
inline constexpr std::uint32_t kMostSegmentBits = 14, kMostSegments = 1u << 20;
inline constexpr std::size_t kMostCategory = 100, kMostName = 300;

[[nodiscard]] inline std::uint32_t load32(const char* at) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(at[i]);
  return value;
}
[[nodiscard]] inline std::uint64_t load64(const char* at) { return std::uint64_t{load32(at + 4)} << 32 | load32(at); }

// The first 8 bytes as they sort; two instructions, where a loop over the bytes is forty, which every lookup would pay.
template <class Byte>
[[nodiscard]] inline std::uint64_t prefix_of(const Byte* digest) {
  static_assert(sizeof(Byte) == 1);
  std::uint64_t value = 0;
  std::memcpy(&value, digest, sizeof value);
  return be64toh(value);
}

// Which bucket of an index of so many bits a digest belongs to.
[[nodiscard]] inline std::uint64_t bucket_of(std::uint64_t prefix, std::uint32_t bits) { return bits == 0 ? 0 : prefix >> (64 - bits); }

struct Header {
  std::uint32_t form = 0;  // index bits, or shards
  std::uint64_t digests = 0;
  Counts counts;
  std::uint32_t entries = 0, reference_bytes = 0;
  std::uint64_t tail = 0;  // texts, or fingerprints
};

// Counts agree with each other; what they mean for the rest of the file is for the form to check. `form` is a word for messages.
[[nodiscard]] Result<Header> read_header(std::string_view bytes, std::string_view magic, std::string_view form);

}  // namespace picket::digests::format
