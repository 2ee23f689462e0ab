#include "lists/csv.hpp"

#include <algorithm>

#include "lists/lists.hpp"

namespace picket::lists {

bool csv_cells(std::string_view record, std::vector<std::string>& cells) {
  constexpr std::size_t kMost = 1024;
  cells.clear();
  for (std::size_t at = 0; cells.size() < kMost; ++at) {
    while (at < record.size() && (record[at] == ' ' || record[at] == '\t')) ++at;
    std::string cell;
    if (at < record.size() && record[at] == '"') {
      bool ends = false;
      for (++at; at < record.size() && !ends; ++at) {
        if (record[at] != '"') cell.push_back(record[at]);
        else if (at + 1 < record.size() && record[at + 1] == '"') cell.push_back(record[at++]);
        else ends = true;
      }
      cells.emplace_back(trimmed(cell));
      if (!ends) return false;
      at = std::min(record.find(',', at), record.size());
    } else {
      const auto end = std::min(record.find(',', at), record.size());
      cells.emplace_back(trimmed(record.substr(at, end - at)));
      at = end;
    }
    if (at == record.size()) return true;
  }
  return true;
}

}  // namespace picket::lists
