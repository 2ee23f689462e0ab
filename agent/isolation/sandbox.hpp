// What a child gives up before a plugin's code runs in it. Two moments, because static constructors run at load:
// everything that needs no knowledge of the plugin comes before the load, the rest between load and create.
//
// Here: no new privileges, no core dumps, a limit on memory. The place for seccomp, Landlock (from the manifest's capabilities) and a
// user of its own is before_create, resp. before_load for the user; they are still to come, and nothing here claims them.
#pragma once

#include <cstdint>

#include "base/result.hpp"

namespace picket::isolation {

[[nodiscard]] Result<> sandbox_before_load();

// The plugin may use so much address space on top of what is in use now (program, libraries, their data).
// Without effect under sanitizers, which reserve terabytes.
[[nodiscard]] Result<> sandbox_before_create(std::uint32_t memory_mb);

}  // namespace picket::isolation
