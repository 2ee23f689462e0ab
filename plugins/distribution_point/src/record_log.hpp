// An append-only file of checksummed lines. A damaged line costs itself and no other. (Plugins link the SDK only, so not agent/storage's journal.)
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "base/result.hpp"

namespace distribution_point {

class RecordLog {
 public:
  static constexpr std::uint64_t kMostBytes = 64u << 20;

  explicit RecordLog(std::filesystem::path file, std::uint64_t most_bytes = kMostBytes) : file_(std::move(file)), most_bytes_(most_bytes) {}

  struct Replayed {
    std::size_t records = 0, damaged = 0;   // lines
  };
  // Whole records in their order, then rewrite() or append(). Code::not_found: there is no such file yet.
  [[nodiscard]] picket::Result<Replayed> read(const std::function<void(std::string_view)>& on_record) const;
  // One line of text. It outlives this process when it returns OK, and a power cut when sync() of the number that it returns did. After an error nothing of
  // it is in the file. Not beside another append or rewrite.
  [[nodiscard]] picket::Result<std::uint64_t> append(std::string_view record);
  // Any thread; those who wait at the same time share one wait for the disk.
  [[nodiscard]] picket::Result<> sync(std::uint64_t number);
  // Replaces all records by these, whole or not at all.
  [[nodiscard]] picket::Result<> rewrite(const std::vector<std::string>& records);
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  [[nodiscard]] picket::Result<> open();

  const std::filesystem::path file_;
  const std::uint64_t most_bytes_;
  std::uint64_t size_ = 0;
  std::mutex mutex_;                        // of the next two
  std::shared_ptr<picket::UniqueFd> fd_;    // who syncs may still have it when a rewrite takes its place
  std::uint64_t written_ = 0;
  std::mutex sync_mutex_;
  std::uint64_t synced_ = 0;
};

}  // namespace distribution_point
