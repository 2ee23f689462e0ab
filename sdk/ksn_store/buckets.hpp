// Objects of one kind in LMDB, some hundred to a bucket, in the order of their digests. The tree that LMDB searches is then small enough for the
// processor's caches; in a bucket, one byte of each digest tells where to look. A batch waits for the memory of all its digests at once.
//
// Key: the greatest first 8 bytes of a digest that may lie in the bucket (MDB_INTEGERKEY). Value: the last byte of each digest, then the objects,
// 53 bytes each: digest, verdict (1), number of its row of texts (4), popularity (8), first seen (8); little-endian.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <lmdb.h>

namespace picket::ksn_store::buckets {

inline constexpr std::size_t kObjectBytes = 53;

struct Object {
  std::string_view digest;
  std::uint8_t verdict = 0;
  std::uint32_t texts = 0;
  std::uint64_t popularity = 0;
  std::int64_t first_seen = 0;

  [[nodiscard]] static Object read(const char* at);
};

// All of these return what LMDB returns; MDB_CORRUPTED for a bucket that is none. Pointers and views live as long as the transaction, until it writes.

// Where the objects of these digests lie, in order; nullptr: there is none.
[[nodiscard]] int find(MDB_cursor* cursor, std::string_view digests, std::vector<const char*>& out);
// All under a prefix, in order; one more than `most` at most.
[[nodiscard]] int under(MDB_cursor* cursor, std::string_view prefix, std::size_t most, std::vector<const char*>& out);
// Adds objects, or replaces those of the same digests. Ascending, none twice. `added`: how many are new.
[[nodiscard]] int put(MDB_cursor* cursor, std::span<const Object> objects, std::uint64_t& added);
// Whether it was there.
[[nodiscard]] int remove(MDB_cursor* cursor, std::string_view digest, bool& was);

}  // namespace picket::ksn_store::buckets
