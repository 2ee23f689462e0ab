// Answers in memory: eight places for each key, the least used of them goes. Bounded in count and in bytes. Not locked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "key.hpp"

namespace ksn_client {

class MemoryCache {
 public:
  MemoryCache(std::size_t entries, std::size_t most_bytes, std::uint64_t seed);

  // Valid until the next put or clear. nullptr: not known, or no longer fresh at `now` (Unix seconds).
  [[nodiscard]] const std::string* find(const Key& key, std::int64_t now);
  void put(const Key& key, std::string_view value, std::int64_t fresh_until);
  void clear();
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  static constexpr std::size_t kWays = 8;
  struct Entry {
    Key key;
    std::uint32_t used = 0;
    std::int64_t fresh_until = 0;  // 0: empty
    std::string value;
  };
  void drop(Entry& entry);

  std::vector<Entry> entries_;
  std::uint64_t mask_, seed_;
  std::uint32_t clock_ = 0;
  std::size_t bytes_ = 0, most_bytes_, hand_ = 0;
};

}  // namespace ksn_client
