// Lists of one digest a line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "digests/lists.hpp"

namespace picket::digests {

// The SHA-256 that the text is; another digest is counted, anything else is nullopt too.
[[nodiscard]] std::optional<Sha256> take_digest(std::string_view text, ListReport& report);
// Says that the text looks like a digest of some kind.
[[nodiscard]] bool is_digest(std::string_view text);

// Where a CSV's columns are, once a header told.
struct CsvColumns {
  std::size_t sha256 = 0;
  std::optional<std::size_t> name, category, verdict;
};

class LineReader {
 public:
  LineReader(Verdict verdict, std::string category, Collection& into, ListReport& report) : verdict_(verdict), category_(std::move(category)), into_(into), report_(report) {}
  [[nodiscard]] Result<> line(std::string_view text, std::uint64_t number);

 private:
  [[nodiscard]] static std::optional<CsvColumns> header_of(const std::vector<std::string>& fields);
  [[nodiscard]] Result<> csv_row(const std::vector<std::string>& fields, std::uint64_t number);
  void not_understood(std::uint64_t number, std::string_view why);

  Verdict verdict_;
  std::string category_;
  Collection& into_;
  ListReport& report_;
  std::optional<CsvColumns> columns_;
};

}  // namespace picket::digests
