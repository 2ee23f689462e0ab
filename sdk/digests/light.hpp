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
  format::Header header_;
  std::vector<std::uint64_t> first_;  // apart from the rest, so that the search for a shard stays in few cache lines
  std::vector<Shard> shards_;
};

}  // namespace picket::digests
