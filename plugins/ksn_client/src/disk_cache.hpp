// Answers that survive a restart: a table of slots of one size in a mapped file. A key has eight places; what is in them expires or gives way.
// Each slot carries a sum over its bytes: a damaged or half-written one is as if empty. Not locked; one process at a time has the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"
#include "key.hpp"

namespace ksn_client {

class DiskCache {
 public:
  static constexpr std::size_t kSlotBytes = 256, kHeaderBytes = 4096, kMostValue = 208;

  // `owner`: whose answers these are; a file with another's is discarded, as a damaged one is: `told` says why in one line, empty when it was
  // taken over or is new. Code::busy: another process has it.
  [[nodiscard]] static picket::Result<std::unique_ptr<DiskCache>> open(const std::filesystem::path& file, std::size_t bytes, std::string_view owner, std::string& told);
  ~DiskCache();
  DiskCache(const DiskCache&) = delete;
  DiskCache& operator=(const DiskCache&) = delete;

  struct Found {
    std::string_view value;  // valid until the next put
    std::int64_t fresh_until = 0;
  };
  [[nodiscard]] std::optional<Found> find(const Key& key, std::int64_t now);
  // False: too long for a slot.
  bool put(const Key& key, std::string_view value, std::int64_t fresh_until);
  void clear();
  [[nodiscard]] std::size_t slots() const { return mask_ + 1; }
  [[nodiscard]] std::uint64_t damaged() const { return damaged_; }  // slots whose sum was wrong, so far

 private:
  struct Slot;
  DiskCache() = default;
  [[nodiscard]] Slot& at(std::uint64_t index) const;
  [[nodiscard]] std::uint64_t sum_of(const Slot& slot) const;

  picket::UniqueFd fd_;
  char* map_ = nullptr;
  std::size_t size_ = 0;
  std::uint64_t mask_ = 0, seed_ = 0, damaged_ = 0;
};

}  // namespace ksn_client
