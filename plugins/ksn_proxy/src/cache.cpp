#include "cache.hpp"

#include <algorithm>
#include <bit>

#include "ksn/limits.hpp"

namespace ksn_proxy {
namespace {

constexpr std::size_t kUsualEntry = 240;  // bytes; only sizes the sketch
constexpr std::size_t kWindowPerMille = 20;
constexpr std::size_t kAhead = 8;         // entries of a batch on their way: a processor fetches only so many lines at a time

}  // namespace

// ---- Sketch

Sketch::Sketch(std::size_t keys) {
  const auto blocks = std::bit_ceil(std::max<std::size_t>(keys / 8, 8));
  words_.resize(blocks * 8);
  mask_ = blocks - 1;
  sample_ = blocks * 8 * 10;
}

template <class Change>
void Sketch::each_counter(std::uint64_t hash, Change&& change) {
  const auto block = block_of(hash);
  // Row i has two words of the block; one bit chooses the word, four bits the counter in it.
  for (unsigned i = 0; i < 4; ++i) {
    const auto bits = hash >> (i * 5);
    change(words_[block + i * 2 + (bits & 1)], static_cast<unsigned>(bits >> 1 & 15) * 4);
  }
}

void Sketch::add(std::uint64_t hash) {
  bool added = false;
  each_counter(hash, [&](std::uint64_t& word, unsigned shift) {
    if ((word >> shift & 15) == 15) return;
    word += std::uint64_t{1} << shift;
    added = true;
  });
  if (added) note();
}

void Sketch::raise(std::uint64_t hash, unsigned to) {
  each_counter(hash, [&](std::uint64_t& word, unsigned shift) {
    if ((word >> shift & 15) < to) word = (word & ~(std::uint64_t{15} << shift)) | std::uint64_t{to} << shift;
  });
}

unsigned Sketch::estimate(std::uint64_t hash) const {
  const auto block = block_of(hash);
  unsigned out = 15;
  for (unsigned i = 0; i < 4; ++i) {
    const auto bits = hash >> (i * 5);
    out = std::min(out, static_cast<unsigned>(words_[block + i * 2 + (bits & 1)] >> ((bits >> 1 & 15) * 4) & 15));
  }
  return out;
}

void Sketch::halve() {
  for (auto& word : words_) word = word >> 1 & 0x7777777777777777u;
  additions_ /= 2;
  ++halvings_;
}

// ---- Cache

Cache::Cache(std::size_t most_bytes)
    : most_bytes_(most_bytes), most_window_(most_bytes / 1000 * kWindowPerMille), slots_(1024), mask_(1023), sketch_(most_bytes / kUsualEntry) {
  for (auto* queue : {&window_, &main_}) queue->sentinel.next = queue->sentinel.previous = &queue->sentinel;
}

Cache::~Cache() { clear(); }

void Cache::clear() {
  for (auto* queue : {&window_, &main_})
    while (queue->sentinel.next != &queue->sentinel) remove(queue->sentinel.next);
}

unsigned Cache::asked(Entry& entry) const {
  const auto behind = static_cast<std::uint8_t>(sketch_.halvings() - entry.halvings);
  entry.asked = behind < 4 ? static_cast<std::uint8_t>(entry.asked >> behind) : 0;
  entry.halvings = sketch_.halvings();
  return entry.asked;
}

Entry* Cache::find(const Key& key, std::uint64_t hash, std::int64_t now) {
  for (auto at = hash & mask_; slots_[at].entry != nullptr; at = (at + 1) & mask_) {
    if (slots_[at].hash != hash) continue;
    auto* entry = slots_[at].entry;
    if (!(entry->key == key)) continue;
    if (entry->fresh_until <= now || entry->fresh_until > now + picket::ksn::kMostFreshSeconds) {
      ++counters_.expired;
      remove(entry);
      break;
    }
    if (entry->uses < 3) ++entry->uses;
    if (asked(*entry) < 15) ++entry->asked, sketch_.note();
    return entry;
  }
  sketch_.add(hash);
  return nullptr;
}

const Entry* Cache::probable(std::uint64_t hash) const {
  auto at = hash & mask_;
  while (slots_[at].entry != nullptr && slots_[at].hash != hash) at = (at + 1) & mask_;
  return slots_[at].entry;
}

std::vector<Entry*> Cache::find(const std::vector<Key>& keys, const std::vector<std::uint64_t>& hashes, std::int64_t now) {
  // Prefetched here and not in functions of their own: g++ 12 takes one that does nothing else for one without effect, and drops the call.
  for (const auto hash : hashes) __builtin_prefetch(&slots_[hash & mask_]);
  std::vector<Entry*> out(hashes.size());
  for (std::size_t i = 0; i < out.size() + kAhead; ++i) {
    if (i < out.size()) {
      if (const auto* entry = reinterpret_cast<const char*>(probable(hashes[i])); entry != nullptr)
        for (std::size_t line = 0; line < 4; ++line) __builtin_prefetch(entry + line * 64);
      else
        __builtin_prefetch(sketch_.place_of(hashes[i]), 1);
    }
    if (i >= kAhead) out[i - kAhead] = find(keys[i - kAhead], hashes[i - kAhead], now);
  }
  return out;
}

void Cache::insert(Entry* entry, std::int64_t now) {
  if (entry->fresh_until <= now || entry->cost() > most_bytes_ / 8) return;
  for (auto at = entry->hash & mask_; slots_[at].entry != nullptr; at = (at + 1) & mask_) {
    if (slots_[at].hash != entry->hash || !(slots_[at].entry->key == entry->key)) continue;
    auto* old = slots_[at].entry;
    if (old == entry) return;
    const auto place = static_cast<Place>(old->place);
    entry->uses = old->uses;
    remove(old);
    ++entry->refs;
    table_insert(entry);
    push(place == kMain ? main_ : window_, place, entry);
    return make_room(now);
  }
  ++entry->refs;
  table_insert(entry);
  push(window_, kWindow, entry);
  make_room(now);
}

void Cache::push(Queue& queue, Place place, Entry* entry) {
  entry->place = place;
  entry->next = &queue.sentinel;
  entry->previous = queue.sentinel.previous;
  entry->previous->next = entry;
  queue.sentinel.previous = entry;
  queue.bytes += entry->cost();
}

void Cache::unlink(Entry* entry) {
  (entry->place == kWindow ? window_ : main_).bytes -= entry->cost();
  entry->previous->next = entry->next;
  entry->next->previous = entry->previous;
  entry->next = entry->previous = nullptr;
  entry->place = kNowhere;
}

void Cache::remove(Entry* entry) {
  sketch_.raise(entry->hash, asked(*entry));  // in case it comes again
  table_erase(entry);
  unlink(entry);
  --counters_.entries;
  counters_.bytes -= entry->cost();
  release(entry);
}

Entry* Cache::victim(std::int64_t now) {
  // The hand looks at so many and no more: a cache full of favourites must not cost a tour of all of it.
  int steps = 0;
  for (auto* entry = main_.sentinel.next; entry != &main_.sentinel; entry = main_.sentinel.next) {
    if (entry->uses == 0 || entry->fresh_until <= now || ++steps > 64) return entry;
    --entry->uses;
    unlink(entry);
    push(main_, kMain, entry);
  }
  return nullptr;
}

void Cache::make_room(std::int64_t now) {
  // Out of the window: into what room there is, or against the one that would go.
  while (window_.bytes > most_window_ || counters_.bytes > most_bytes_) {
    auto* candidate = window_.sentinel.next;
    if (candidate == &window_.sentinel) break;
    unlink(candidate);
    candidate->uses = 0;  // what it did in the window is counted in `asked`
    push(main_, kMain, candidate);
    while (counters_.bytes > most_bytes_) {
      auto* other = victim(now);
      if (other == candidate) other = nullptr;
      const bool better = other != nullptr && (other->fresh_until <= now || asked(*candidate) > asked(*other));
      if (better) {
        ++counters_.evicted;
        remove(other);
        continue;
      }
      ++counters_.not_admitted;
      remove(candidate);
      break;
    }
  }
  // The window is empty, and an answer has grown in its place.
  while (counters_.bytes > most_bytes_) {
    auto* other = victim(now);
    if (other == nullptr) return;
    ++counters_.evicted;
    remove(other);
  }
}

void Cache::table_insert(Entry* entry) {
  entry->asked = static_cast<std::uint8_t>(sketch_.estimate(entry->hash));
  entry->halvings = sketch_.halvings();
  if (++counters_.entries > slots_.size() / 8 * 5) grow();
  counters_.bytes += entry->cost();
  auto at = entry->hash & mask_;
  while (slots_[at].entry != nullptr) at = (at + 1) & mask_;
  slots_[at] = {entry->hash, entry};
}

void Cache::table_erase(const Entry* entry) {
  auto at = entry->hash & mask_;
  while (slots_[at].entry != entry) at = (at + 1) & mask_;
  // Those behind it move up, so that no search ends too early.
  for (auto next = (at + 1) & mask_; slots_[next].entry != nullptr; next = (next + 1) & mask_) {
    const auto home = slots_[next].hash & mask_;
    if (((next - home) & mask_) < ((next - at) & mask_)) continue;
    slots_[at] = slots_[next];
    at = next;
  }
  slots_[at] = {};
}

void Cache::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const auto& slot : old) {
    if (slot.entry == nullptr) continue;
    auto at = slot.hash & mask_;
    while (slots_[at].entry != nullptr) at = (at + 1) & mask_;
    slots_[at] = slot;
  }
}

}  // namespace ksn_proxy
