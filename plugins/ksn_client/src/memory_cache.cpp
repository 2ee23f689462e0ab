#include "memory_cache.hpp"

#include <bit>

namespace ksn_client {

MemoryCache::MemoryCache(std::size_t entries, std::size_t most_bytes, std::uint64_t seed)
    : entries_(std::bit_ceil(std::max(entries, kWays))), mask_(entries_.size() / kWays - 1), seed_(seed), most_bytes_(most_bytes) {}

const std::string* MemoryCache::find(const Key& key, std::int64_t now) {
  Entry* const set = &entries_[(hash_of(key, seed_) & mask_) * kWays];
  for (std::size_t i = 0; i < kWays; ++i) {
    if (set[i].fresh_until < now || set[i].fresh_until > now + picket::ksn::kMostFreshSeconds || !(set[i].key == key)) continue;
    set[i].used = ++clock_;
    return &set[i].value;
  }
  return nullptr;
}

void MemoryCache::drop(Entry& entry) {
  bytes_ -= entry.value.size();
  entry = {};
}

void MemoryCache::put(const Key& key, std::string_view value, std::int64_t fresh_until) {
  const std::size_t first = (hash_of(key, seed_) & mask_) * kWays;
  Entry* place = nullptr;
  for (std::size_t i = first; i < first + kWays; ++i)
    if (entries_[i].key == key) place = &entries_[i];
  if (value.size() > most_bytes_ / 8) {
    if (place != nullptr) drop(*place);  // what it held is out of date
    return;
  }
  for (std::size_t i = first; place == nullptr && i < first + kWays; ++i)
    if (entries_[i].fresh_until == 0) place = &entries_[i];
  if (place == nullptr) {
    place = &entries_[first];
    for (std::size_t i = first + 1; i < first + kWays; ++i)
      // By age: the counter may have run over.
      if (clock_ - entries_[i].used > clock_ - place->used) place = &entries_[i];
  }
  drop(*place);
  for (std::size_t tried = 0; bytes_ + value.size() > most_bytes_ && tried < entries_.size(); ++tried) {
    hand_ = (hand_ + 1) & (entries_.size() - 1);
    drop(entries_[hand_]);
  }
  *place = {key, ++clock_, fresh_until, std::string(value)};
  bytes_ += value.size();
}

void MemoryCache::clear() {
  for (auto& entry : entries_) entry = {};
  bytes_ = 0;
}

}  // namespace ksn_client
