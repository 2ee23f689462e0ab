// Strict JSON in, OLPC canonical JSON out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/storage_ptr.hpp>
#include <boost/json/value.hpp>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace picket::trust {

namespace json = boost::json;

// Refuses what two parsers could read differently: duplicate members, invalid UTF-8, lone surrogates, numbers that are not
// integers within int64, nesting over 32, trailing data. Numbers are always int64 (so -0 is 0). Code::invalid, with line and column.
// Numbers::any (settings, which nobody canonicalises) takes fractions and exponents too, as finite doubles.
// A caller that throws the whole tree away at once may pass a monotonic resource; a copy of any part of it then holds all of it.
enum class Numbers { integers, any };
[[nodiscard]] Result<json::value> parse_strict(std::string_view text, json::storage_ptr storage = {}, Numbers numbers = Numbers::integers);

// Members sorted by the bytes of their UTF-8 name, no blanks, only `"` and `\` escaped. Not valid JSON: never parse it again.
// The value must come from parse_strict or hold nothing it would refuse.
// `about`: how many bytes it may have, so that large ones need not grow.
[[nodiscard]] std::string canonical(const json::value& value, std::size_t about = 0);

}  // namespace picket::trust
