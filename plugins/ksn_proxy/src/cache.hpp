// Answers, bounded in bytes. W-TinyLFU with lazy promotion: newcomers pass a small window; from there one gets in only if it was asked for
// more often than the one it would push out; among those inside a clock hand looks for who was not asked for of late. A hit writes two bits
// and a counter, and moves nothing. Under its owner's lock.
#pragma once

#include <cstdint>
#include <vector>

#include "entry.hpp"
#include "sketch.hpp"

namespace ksn_proxy {

class Cache {
 public:
  explicit Cache(std::size_t most_bytes);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // nullptr: not there, or no longer fresh. Counts as a use.
  [[nodiscard]] Entry* find(const Key& key, std::uint64_t hash, std::int64_t now);
  // The same for a batch, where waiting for memory is most of the work: what comes next is on its way while one is looked at.
  [[nodiscard]] std::vector<Entry*> find(const std::vector<Key>& keys, const std::vector<std::uint64_t>& hashes, std::int64_t now);
  // Takes the place of an older one of the same key. What is too large for the cache is not taken.
  void insert(Entry* entry, std::int64_t now);
  void clear();

  struct Counters {
    std::uint64_t entries = 0, bytes = 0, evicted = 0, not_admitted = 0, expired = 0;
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }

 private:
  enum Place : std::uint8_t { kNowhere, kWindow, kMain };
  struct Queue {                       // a ring through its sentinel; oldest at sentinel.next
    Entry sentinel;
    std::size_t bytes = 0;
  };
  struct Slot {
    std::uint64_t hash = 0;
    Entry* entry = nullptr;
  };

  [[nodiscard]] const Entry* probable(std::uint64_t hash) const;  // of this hash, if any; else nullptr
  // How often lately, as the sketch counts it. Counted in the entry while it is here: the sketch would be one more line of memory to wait for.
  unsigned asked(Entry& entry) const;
  void push(Queue& queue, Place place, Entry* entry);
  void unlink(Entry* entry);
  void remove(Entry* entry);           // and forget it
  void make_room(std::int64_t now);
  [[nodiscard]] Entry* victim(std::int64_t now);
  void table_insert(Entry* entry);
  void table_erase(const Entry* entry);
  void grow();

  const std::size_t most_bytes_, most_window_;
  Queue window_, main_;
  std::vector<Slot> slots_;
  std::size_t mask_;
  Sketch sketch_;
  Counters counters_;
};

}  // namespace ksn_proxy
