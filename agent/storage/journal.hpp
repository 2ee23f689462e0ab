// An append-only file of small records. What append() said OK to is there after a power cut; what was being written when the power went is ignored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"

namespace picket::storage {

class Journal {
 public:
  static constexpr std::size_t kMaxRecord = 64 * 1024;
  static constexpr std::uint64_t kMaxFile = 64u << 20;

  struct Replayed {
    std::size_t records = 0;
    std::uint64_t torn_bytes = 0;     // an unfinished last write: cut off, nothing was promised about it
    std::uint64_t damaged_bytes = 0;  // amid whole records: something was lost, tell somebody
  };

  // Creates the file when absent. Calls `on_record` for every whole record in order, cuts a torn tail off. A record damaged in the middle is
  // skipped, those after it are kept.
  [[nodiscard]] static Result<Journal> open(std::filesystem::path path, const std::function<void(std::string_view)>& on_record);

  // On disk when it returns OK. After an error nothing of the record is in the file (or the next open cuts it off).
  [[nodiscard]] Result<> append(std::string_view record);
  // Replaces all records by these, whole or not at all.
  [[nodiscard]] Result<> rewrite(std::span<const std::string> records);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] const Replayed& replayed() const { return replayed_; }

 private:
  Journal() = default;
  std::filesystem::path path_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;
  Replayed replayed_;
};

// The file's format, for fuzzing and for tests: records of `bytes` from the front.
[[nodiscard]] Journal::Replayed replay_journal(std::string_view bytes, const std::function<void(std::string_view)>& on_record, std::uint64_t& whole_bytes);

}  // namespace picket::storage
