#include "digests/light.hpp"

namespace picket::digests {

using namespace format;

namespace {

tl::unexpected<Error> light_damaged(std::string_view what) { return fail(Code::invalid, cat("the light digest database is damaged: ", what)); }

}  // namespace

Result<Light> Light::read(std::string_view bytes) {
  Light out;
  PICKET_LET(header, read_header(bytes, kLightMagic, "light"));
  out.header_ = header;
  const auto count = header.form;
  if (count > kMostShards || (count == 0) != (header.digests == 0)) return light_damaged("its number of shards is impossible");
  if (header.counts.trusted != 0 || header.entries != 0 || header.reference_bytes != 0) return light_damaged("its header holds what belongs to a full one");
  const std::uint64_t fixed = kHeaderBytes + count * kShardBytes;
  if (fixed > bytes.size() || header.tail != bytes.size() - fixed)
    return light_damaged(cat("it holds ", std::to_string(bytes.size()), " bytes, which is not what its header says"));
  const char* const fingerprints = bytes.data() + fixed;
  std::uint64_t end = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const char* const at = bytes.data() + kHeaderBytes + i * kShardBytes;
    const std::uint64_t first = load64(at), begin = load64(at + 16);
    const fuse::Shape shape{load32(at + 24), load32(at + 28)};
    if (i == 0 ? first != 0 : first <= out.first_.back()) return light_damaged("its shards do not ascend");
    if (shape.segments == 0 || shape.segments > kMostSegments || shape.segment_bits > kMostSegmentBits) return light_damaged("the shape of a shard is impossible");
    if (shape.bytes() > std::uint64_t{1} << 31) return light_damaged("a shard is too large");
    if (begin != end) return light_damaged("its shards do not follow each other");
    end += shape.bytes();
    if (end > header.tail) return light_damaged("a shard ends outside of it");
    out.first_.push_back(first);
    out.shards_.push_back({load64(at + 8), shape, fingerprints + begin});
  }
  if (end != header.tail) return light_damaged("its last shard is not its end");
  if (count == 0) return out;
  std::uint32_t last = 0;
  for (std::uint64_t bucket = 0; bucket < std::uint64_t{1} << kStartBits; ++bucket) {
    while (last + 1 < count && out.first_[last + 1] <= bucket << (64 - kStartBits)) ++last;
    out.starts_.push_back(last);
  }
  out.starts_.push_back(count - 1);
  return out;
}

const Light::Shard& Light::shard_of(std::uint64_t key) const {
  const auto bucket = static_cast<std::size_t>(key >> (64 - kStartBits));
  std::uint32_t low = starts_[bucket], high = starts_[bucket + 1];
  while (low < high) {
    const std::uint32_t middle = low + (high - low + 1) / 2;
    if (first_[middle] <= key) low = middle;
    else high = middle - 1;
  }
  return shards_[low];
}

bool Light::may_hold(const Sha256& digest) const {
  if (shards_.empty()) return false;
  const auto key = prefix_of(digest.data());
  const Shard& shard = shard_of(key);
  const auto hash = fuse::mix(key, shard.seed);
  const auto place = fuse::places(hash, shard.shape);
  // Not a loop: the three wait for memory at the same time, and so do those of the next lookup, when there are few instructions between.
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(shard.fingerprints[place[i]]); };
  return fuse::fingerprint(hash) == (at(0) ^ at(1) ^ at(2));
}

}  // namespace picket::digests
