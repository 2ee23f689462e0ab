// Values at the edges of a JSON Schema and just beside them.
#pragma once

#include <vector>

#include <boost/json/value.hpp>

namespace picket::check {

// Variants of `from`, each different in one place. Which of them the schema accepts is not decided here.
[[nodiscard]] std::vector<boost::json::value> around(const boost::json::value& schema, const boost::json::value& from);

}  // namespace picket::check
