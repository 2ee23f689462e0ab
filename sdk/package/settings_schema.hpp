// Whether the host will be able to use a manifest's settings_schema: for the author's tools. The host itself reads it with agent/policy, more strictly.
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace picket::package {

// Code::invalid with the reason, as an unknown type or a reference to what is not there.
[[nodiscard]] Result<> check_settings_schema(std::string_view schema_json);

}  // namespace picket::package
