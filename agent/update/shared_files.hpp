// What the sets of all components hold, each content once: <folder>/<sha256> is one more name (a hard link) of a file in a set, and lends it to
// the next set that has the same content. Nothing relies on it: what is missing or damaged here costs space, never a set.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "base/result.hpp"
#include "core/cancel.hpp"
#include "update/steps.hpp"

namespace picket::update {

class SharedFiles {
 public:
  [[nodiscard]] static Result<SharedFiles> open(std::filesystem::path folder, Steps steps);

  // For a staged file that was just read and has this content. Afterwards it is on disk: as another name of the equal file that is kept here,
  // if that one is undamaged (it is read to see), else as it was staged, and lent from now on. A file is never written to, only replaced.
  [[nodiscard]] Result<> settle(const std::filesystem::path& file, std::string_view sha256, const core::CancelToken& cancel);
  // `file` becomes another name of `kept`, in one step. False: it stays as it is.
  [[nodiscard]] bool lend(const std::filesystem::path& kept, const std::filesystem::path& file);
  // Drops what no set has any more; returns how many.
  std::size_t sweep();

 private:
  SharedFiles(std::filesystem::path folder, Steps steps) : folder_(std::move(folder)), steps_(std::move(steps)) {}

  std::filesystem::path folder_;
  Steps steps_;
};

}  // namespace picket::update
