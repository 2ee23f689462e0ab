#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace picket::lists {

// The cells of a record (RFC 4180), blanks around them cut. False: a quoted cell has no end.
[[nodiscard]] bool csv_cells(std::string_view record, std::vector<std::string>& cells);

}  // namespace picket::lists
