#include "digests/csv.hpp"

#include <algorithm>

namespace picket::digests {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::vector<std::string> csv_fields(std::string_view line, char separator) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (true) {
    while (at < line.size() && (line[at] == ' ' || line[at] == '\t')) ++at;
    std::string field;
    if (at < line.size() && line[at] == '"') {
      for (++at; at < line.size(); ++at) {
        if (line[at] == '"' && at + 1 < line.size() && line[at + 1] == '"') field.push_back(line[at++]);
        else if (line[at] == '"') break;
        else field.push_back(line[at]);
      }
      at = std::min(line.find(separator, std::min(at, line.size())), line.size());
    } else {
      const auto end = std::min(line.find(separator, at), line.size());
      field = trimmed(line.substr(at, end - at));
      at = end;
    }
    out.push_back(std::move(field));
    if (at >= line.size()) return out;
    ++at;
  }
}

}  // namespace picket::digests
