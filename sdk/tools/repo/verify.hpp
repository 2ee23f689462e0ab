// A whole repository as a client sees it, and every target's bytes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/progress.hpp"
#include "base/result.hpp"
#include "trust/release.hpp"

namespace picket::repo {

struct Verified {
  trust::Client::Versions versions;
  std::vector<trust::Release> releases;
  std::vector<trust::Delta> deltas;
  std::uint64_t bytes = 0;
  std::size_t packed = 0;  // files of metadata that lie packed beside themselves (packed.hpp); none at all is no problem, some without the others is
  std::vector<std::string> problems;  // one line each; empty: all is well
};

// `repository` holds metadata/ and targets/. `root_bytes`: the root to begin from. Metadata that does not verify is an error;
// targets and packed metadata that do not are problems, so that all of them are told. `read_targets` false: only their presence and length.
[[nodiscard]] Result<Verified> verify_repository(const std::filesystem::path& repository, std::string_view root_bytes, trust::UnixTime now, bool read_targets,
                                                 Progress& progress);

}  // namespace picket::repo
