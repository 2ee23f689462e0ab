// What earlier runs came to: JSON lines in a file, oldest first, bounded. Any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <picket/update/v1/report.pb.h>

#include "base/result.hpp"
#include "storage/line_file.hpp"
#include "update/steps.hpp"

namespace picket::update {

class History {
 public:
  static constexpr std::size_t kMaxRuns = 200;
  static constexpr std::uint64_t kMaxFile = 1u << 20;

  History(std::filesystem::path file, Steps steps) : file_(std::move(file), {kMaxRuns, kMaxFile}), steps_(std::move(steps)) {}

  [[nodiscard]] Result<> add(const v1::RunResult& result);
  // Newest first; unreadable lines are left out. Bounded to what fits into one answer on the bus.
  [[nodiscard]] Result<v1::HistoryReply> read(std::uint32_t limit) const;

 private:
  mutable std::mutex mutex_;
  storage::LineFile file_;
  Steps steps_;
};

[[nodiscard]] std::string to_line(const v1::RunResult& result);
[[nodiscard]] std::optional<v1::RunResult> from_line(std::string_view line);

}  // namespace picket::update
