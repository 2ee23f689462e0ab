// A plugin's shared object in this process. Never unmapped: closing gains nothing and C++ plugins survive it only by luck.
#pragma once

#include <string>

#include <picket/plugin.h>

#include "base/files.hpp"
#include "base/result.hpp"

namespace picket::plugin_host {

// Loads the sealed file and checks the entry: magic, size, major, minor needed. The descriptor is taken and stays open for
// the life of the process: the loader knows libraries by name (/proc/self/fd/N), and a reused number would give the old one.
// In picketd only after a trial: a static constructor that throws leaves the loader locked.
[[nodiscard]] Result<const picket_entry*> load_library(UniqueFd sealed);

[[nodiscard]] Result<> check_entry(const picket_entry& entry);

}  // namespace picket::plugin_host
