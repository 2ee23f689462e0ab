// Memory before disk. Any thread; one short lock.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "disk_cache.hpp"
#include "memory_cache.hpp"

namespace ksn_client {

class Cache {
 public:
  Cache(std::size_t memory_entries, std::unique_ptr<DiskCache> disk, std::uint64_t seed)
      : memory_(memory_entries, std::max<std::size_t>(memory_entries * 256, 8u << 20), seed), disk_(std::move(disk)) {}

  // Hands the value to `use` under the lock; false: not known.
  template <class Use>
  bool find(const Key& key, std::int64_t now, Use&& use) {
    const std::lock_guard lock(mutex_);
    if (const std::string* value = memory_.find(key, now)) {
      use(std::string_view(*value));
      return true;
    }
    if (!disk_) return false;
    const auto found = disk_->find(key, now);
    if (!found) return false;
    use(found->value);
    memory_.put(key, found->value, found->fresh_until);
    return true;
  }
  void put(const Key& key, std::string_view value, std::int64_t fresh_until) {
    const std::lock_guard lock(mutex_);
    memory_.put(key, value, fresh_until);
    if (disk_) disk_->put(key, value, fresh_until);
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    memory_.clear();
    if (disk_) disk_->clear();
  }
  [[nodiscard]] std::uint64_t damaged() {
    const std::lock_guard lock(mutex_);
    return disk_ ? disk_->damaged() : 0;
  }

 private:
  std::mutex mutex_;
  MemoryCache memory_;
  std::unique_ptr<DiskCache> disk_;
};

}  // namespace ksn_client
