// Inside of child_process: the fork and what happens between it and the exec.
#pragma once

#include <string>

#include "base/files.hpp"
#include "base/result.hpp"
#include "runtime/child_process.hpp"

namespace picket::runtime {

struct Spawned {
  int pid = -1;
  UniqueFd process;        // pidfd
  UniqueFd output, error;  // ends of the child's stdout and stderr, not blocking
};

// On a thread that lives as long as the child shall: its end is what PR_SET_PDEATHSIG reports.
[[nodiscard]] Result<Spawned> spawn(const ChildOptions& options);

}  // namespace picket::runtime
