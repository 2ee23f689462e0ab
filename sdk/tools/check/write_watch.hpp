// Which files somebody writes, seen by the kernel: whatever library it is done with, also from threads and processes that the work starts.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace picket::check {

// An attempt, whatever came of it.
struct Write {
  std::string call;  // the system call: "openat"
  std::string path;  // absolute and without "..", links are not followed; or what the kernel calls that which has no path: "/memfd:name (deleted)"
  bool operator==(const Write&) const = default;
};

// Runs `work` on another thread, and waits for it. Nothing is kept from it: each call goes on once it was seen. Each attempt once, in the order they came.
// Opening for writing, and whatever makes, removes, renames or changes a file or folder; not what is done through io_uring. Needs no privileges.
// An error: the kernel does not show them, and why; then the work may not have run.
[[nodiscard]] Result<std::vector<Write>> watch_writes(const std::function<void()>& work);

}  // namespace picket::check
