// "default" of JSON Schema, filled into settings.
#pragma once

#include <boost/json/value.hpp>

namespace picket::policy {

namespace json = boost::json;

// Adds what is absent, recursively. A default object merges under a given one; the elements of arrays are filled too. An absent
// object without a default of its own appears when its members' defaults satisfy its "required". `schema` was found safe
// (package/schema_examine.hpp). false: the defaults are too large, `value` is then not complete.
[[nodiscard]] bool fill_defaults(const json::value& schema, json::value& value);

}  // namespace picket::policy
