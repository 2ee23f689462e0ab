// A plugin's first load, where it can harm nobody.
#pragma once

#include <string>

#include "base/files.hpp"
#include "base/result.hpp"

namespace picket::plugin_host::child {

// Inspects the file, loads it (static constructors run), checks the entry, asks for an instance of a wrong id (must fail),
// makes one of the right id and destroys it. The error says what does not hold.
[[nodiscard]] Result<> try_library(UniqueFd library, const std::string& id, bool in_process);

// The part that runs no code of the plugin.
[[nodiscard]] Result<> inspect_library(int library, bool in_process);

}  // namespace picket::plugin_host::child
