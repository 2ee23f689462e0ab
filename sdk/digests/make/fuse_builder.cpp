#include "digests/make/fuse_builder.hpp"

#include <algorithm>
#include <vector>

namespace picket::digests {
namespace {

constexpr unsigned kAttempts = 256;
constexpr std::uint64_t kSeeds = 0x5049434b45543031ULL;

// How long segments are and how much room is left, by number of keys: the authors' formulas, as a table so that no floating point decides
// what a release looks like. From 11,193 keys on segments stay shorter than theirs, and the room is what was found to do.
struct Step {
  std::uint64_t from;
  std::uint32_t segment_bits, room_permille;
};
constexpr Step kSteps[] = {{0, 2, 3000},     {8, 4, 2520},     {27, 5, 1923},      {91, 6, 1641},      {303, 7, 1480},     {1010, 8, 1375},
                           {3365, 9, 1301},  {11193, 10, 1246}, {25000, 10, 1215}, {50000, 10, 1190}, {80000, 10, 1170}};

fuse::Shape shape_for(std::uint64_t keys, unsigned attempt) {
  const Step* step = kSteps;
  for (const auto& each : kSteps)
    if (keys >= each.from) step = &each;
  std::uint64_t room = (keys * step->room_permille + 999) / 1000;
  room += (room / 32 + 1) * (attempt / 8);  // bad luck eight times: a little more room
  const std::uint64_t length = std::uint64_t{1} << step->segment_bits;
  const std::uint64_t segments = (room + length - 1) / length;
  return {static_cast<std::uint32_t>(segments > fuse::kArity ? segments - (fuse::kArity - 1) : 1), step->segment_bits};
}

std::uint64_t seed_of(std::uint64_t ordinal, unsigned attempt) {
  std::uint64_t z = kSeeds + (ordinal * kAttempts + attempt + 1) * 0x9e3779b97f4a7c15ULL;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
  return z ^ z >> 31;
}

// Peels the keys off, one after the other, that alone need some byte; what is taken last is given its byte first.
class Peeler {
 public:
  [[nodiscard]] bool peel(std::span<const std::uint64_t> keys, std::uint64_t seed, fuse::Shape shape) {
    slots_.assign(shape.bytes(), {});
    alone_.clear();
    order_.clear();
    order_.reserve(keys.size());
    for (const auto key : keys) {
      const auto hash = fuse::mix(key, seed);
      const auto place = fuse::places(hash, shape);
      for (std::uint32_t i = 0; i < fuse::kArity; ++i) slots_[place[i]].add(hash, i);
    }
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].is_single()) alone_.push_back(static_cast<std::uint32_t>(i));
    while (!alone_.empty()) {
      const Slot slot = slots_[alone_.back()];
      alone_.pop_back();
      if (!slot.is_single()) continue;  // its key went by another slot meanwhile
      order_.push_back({slot.hashes, slot.which()});
      const auto place = fuse::places(slot.hashes, shape);
      for (std::uint32_t i = 0; i < fuse::kArity; ++i) {
        slots_[place[i]].remove(slot.hashes, i);
        if (slots_[place[i]].is_single()) alone_.push_back(place[i]);
      }
    }
    return order_.size() == keys.size();
  }

  [[nodiscard]] std::string fingerprints(fuse::Shape shape) const {
    std::string out(shape.bytes(), '\0');
    for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
      const auto place = fuse::places(it->hash, shape);
      std::uint8_t own = fuse::fingerprint(it->hash);
      for (std::uint32_t i = 0; i < fuse::kArity; ++i)
        if (i != it->which) own = static_cast<std::uint8_t>(own ^ static_cast<std::uint8_t>(out[place[i]]));
      out[place[it->which]] = static_cast<char>(own);
    }
    return out;
  }

 private:
  // How many keys need a slot (times 4), the xor of which of their three places it is, and of their hashes: of a single one, the key itself.
  struct Slot {
    std::uint64_t hashes = 0;
    std::uint32_t count = 0;
    void add(std::uint64_t hash, std::uint32_t which_place) {
      hashes ^= hash;
      count = (count + 4) ^ which_place;
    }
    void remove(std::uint64_t hash, std::uint32_t which_place) {
      hashes ^= hash;
      count = (count - 4) ^ which_place;
    }
    [[nodiscard]] bool is_single() const { return count >> 2 == 1; }
    [[nodiscard]] std::uint32_t which() const { return count & 3; }
  };
  struct Taken {
    std::uint64_t hash;
    std::uint32_t which;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> alone_;
  std::vector<Taken> order_;
};

}  // namespace

Result<BuiltShard> build_shard(std::span<const std::uint64_t> keys, std::uint64_t ordinal) {
  if (keys.empty() || keys.size() > kMostShardKeys) return fail(Code::invalid, cat("a shard of ", std::to_string(keys.size()), " keys"));
  Peeler peeler;
  for (unsigned attempt = 0; attempt < kAttempts; ++attempt) {
    const auto shape = shape_for(keys.size(), attempt);
    const auto seed = seed_of(ordinal, attempt);
    if (peeler.peel(keys, seed, shape)) return BuiltShard{seed, shape, peeler.fingerprints(shape)};
  }
  return fail(Code::internal, cat("no filter was found in ", std::to_string(kAttempts), " attempts: is a key there twice?"));
}

}  // namespace picket::digests
