// Builds the filter of one shard.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.hpp"
#include "digests/fuse.hpp"

namespace picket::digests {

struct BuiltShard {
  std::uint64_t seed = 0;
  fuse::Shape shape;
  std::string fingerprints;
};

// Larger ones would need a quarter of a bit less a digest; of these the three bytes of a lookup lie within 3 KiB: fewer pages to find.
inline constexpr std::size_t kMostShardKeys = 1u << 17;

// Keys: 1 to kMostShardKeys, none twice. The same keys and ordinal give the same bytes.
[[nodiscard]] Result<BuiltShard> build_shard(std::span<const std::uint64_t> keys, std::uint64_t ordinal);

}  // namespace picket::digests
