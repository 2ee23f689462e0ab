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
// Makes <folder>/{metadata,targets} of these and nothing else, in place of an earlier one: whole by one rename. Any other folder that is not
// empty is left alone: Code::conflict. Its parent must exist.
[[nodiscard]] Result<> write_repository(const std::vector<MetadataFile>& metadata, const std::vector<TargetCopy>& targets, const std::filesystem::path& folder);

}  // namespace picket::trust
