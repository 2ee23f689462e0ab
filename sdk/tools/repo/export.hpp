// A small repository out of a large one: what one device or a few components need, for a removable drive.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.hpp"
#include "base/result.hpp"
#include "trust/metadata.hpp"

namespace picket::repo {

struct ExportWish {
  std::string component;
  std::string variant;  // empty: all that the newest release has
};

struct ExportReport {
  struct Line {
    std::string component, variant;
    std::int64_t release = 0;
    std::uint64_t bytes = 0;
  };
  std::vector<Line> lines;
  std::uint64_t bytes = 0;  // metadata included
};

// What `picketctl component list --json` printed on a device: what it demands, in the variant that it wants. Code::invalid.
[[nodiscard]] Result<std::vector<ExportWish>> device_wishes(std::string_view json);
// `repository` has metadata/ and targets/. Everything is verified as an agent would, from the first root on. The newest release of each.
[[nodiscard]] Result<ExportReport> export_repository(const std::filesystem::path& repository, const std::vector<ExportWish>& wishes, const std::filesystem::path& folder,
                                                     trust::UnixTime now, Progress& progress);

}  // namespace picket::repo
