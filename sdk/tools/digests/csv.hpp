#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace picket::digests {

// The fields of one line (RFC 4180, but no field goes over a line's end), blanks around them cut.
[[nodiscard]] std::vector<std::string> csv_fields(std::string_view line, char separator);
[[nodiscard]] std::string_view trimmed(std::string_view text);

}  // namespace picket::digests
