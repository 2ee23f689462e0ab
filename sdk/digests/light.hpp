// The light form over bytes that somebody else keeps.
#pragma once

#include <string_view>
#include <vector>

#include "digests/format.hpp"
#include "digests/fuse.hpp"

namespace picket::digests {

class Light {
 public:
  // Checks all bounds, so that may_hold() may trust them.
  [[nodiscard]] static Result<Light> read(std::string_view bytes);
  // True for every digest of the list, and for about one in 256 others.
  [[nodiscard]] bool may_hold(const Sha256& digest) const;
  [[nodiscard]] const format::Header& header() const { return header_; }

 private:
  struct Shard {
    std::uint64_t seed = 0;
    fuse::Shape shape;
    const char* fingerprints = nullptr;
  };
  [[nodiscard]] const Shard& shard_of(std::uint64_t key) const;

  static constexpr unsigned kStartBits = 10;
  format::Header header_;
  // Where the search for a shard begins, by the first bits of the key: mostly it has only one to choose from, and no branch to guess.
  std::vector<std::uint32_t> starts_;
  std::vector<std::uint64_t> first_;
  std::vector<Shard> shards_;
};

}  // namespace picket::digests
