// Memory before disk. Any thread; one short lock.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "disk_cache.hpp"
#include "memory_cache.hpp"

namespace ksn_client {

class Cache {
 public:
  // later: of a file that another process has, which is the version of this plugin that this one will follow; asked for it again each second.
  using Later = std::function<picket::Result<std::unique_ptr<DiskCache>>()>;
  Cache(std::size_t memory_entries, std::unique_ptr<DiskCache> disk, std::uint64_t seed, Later later = {})
      : memory_(memory_entries, std::max<std::size_t>(memory_entries * 256, 8u << 20), seed), disk_(std::move(disk)), later_(std::move(later)) {}

  // Hands the value to `use` under the lock; false: not known.
  template <class Use>
  bool find(const Key& key, std::int64_t now, Use&& use) {
    const std::lock_guard lock(mutex_);
    if (const std::string* value = memory_.find(key, now)) {
      use(std::string_view(*value));
      return true;
    }
    auto* const on_disk = disk();
    if (on_disk == nullptr) return false;
    const auto found = on_disk->find(key, now);
    if (!found) return false;
    use(found->value);
    memory_.put(key, found->value, found->fresh_until);
    return true;
  }
  void put(const Key& key, std::string_view value, std::int64_t fresh_until) {
    const std::lock_guard lock(mutex_);
    memory_.put(key, value, fresh_until);
    if (auto* const on_disk = disk()) on_disk->put(key, value, fresh_until);
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    memory_.clear();
    if (auto* const on_disk = disk()) on_disk->clear();
  }
  [[nodiscard]] std::uint64_t damaged() {
    const std::lock_guard lock(mutex_);
    return disk_ ? disk_->damaged() : 0;
  }

 private:
  DiskCache* disk() {
    if (!later_) return disk_.get();
    const auto now = std::chrono::steady_clock::now();
    if (now < try_at_) return nullptr;
    try_at_ = now + std::chrono::seconds(1);
    auto opened = later_();
    if (!opened && opened.error().code == picket::Code::busy) return nullptr;
    if (opened) disk_ = std::move(*opened);
    later_ = nullptr;
    return disk_.get();
  }

  std::mutex mutex_;
  MemoryCache memory_;
  std::unique_ptr<DiskCache> disk_;
  Later later_;
  std::chrono::steady_clock::time_point try_at_{};
};

}  // namespace ksn_client
