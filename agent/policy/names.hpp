// How a setting is named: "limits.max_bytes", or as JSON Pointer (RFC 6901) "/limits/max.bytes" when a member's name holds a dot.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace picket::policy {

using Path = std::vector<std::string>;  // member names from the top; empty: everything

[[nodiscard]] Result<Path> parse_name(std::string_view name);  // Code::invalid; "" is everything
[[nodiscard]] std::string format_name(const Path& path);       // dotted where that is not ambiguous

}  // namespace picket::policy
