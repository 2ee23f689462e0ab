// A folder that becomes a repository: for a removable drive, for further folders.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "trust/client.hpp"

namespace picket::trust {

struct TargetCopy {
  std::string path;               // below targets/, with its digest where the repository has consistent snapshots
  std::filesystem::path file;     // its bytes
};
// May an export go there? Into no folder yet, an empty one, or an earlier export, which picket-export.txt in it tells: any other is left alone
// (Code::conflict), and so are what lies in a publisher's own folder and where a drive is mounted. Its parent must exist and be writable.
[[nodiscard]] Result<> check_export_folder(const std::filesystem::path& folder);
// Makes <folder>/{metadata,targets,picket-export.txt} of these and nothing else, where check_export_folder agrees: whole by one rename.
[[nodiscard]] Result<> write_repository(const std::vector<MetadataFile>& metadata, const std::vector<TargetCopy>& targets, const std::filesystem::path& folder);

}  // namespace picket::trust
