// Makes a foreign JSON Schema safe to hand to valijson, or says why it cannot be.
#pragma once

#include <boost/json/value.hpp>

#include "base/result.hpp"

namespace picket::package {

namespace json = boost::json;

// What valijson calls our constraint for "pattern".
constexpr const char* pattern_keyword = "x-picket-pattern";

// Checks the limits, drops what is only annotation ("format", "$id", "default", ...) and renames "pattern".
[[nodiscard]] Result<> make_safe(json::value& schema);

// The schema that "$ref" stands for, else the same. nullptr: there is none. `root` was made safe or is the original of such.
[[nodiscard]] const json::object* resolve(const json::object& schema, const json::value& root);

}  // namespace picket::package
