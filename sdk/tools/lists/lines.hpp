// Lists of one object a line: plain, or CSV.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lists/lists.hpp"

namespace picket::lists {

constexpr std::size_t kMostLine = 64u << 10;

class Lines {
 public:
  Lines(Format format, Taker& taker) : format_(format), taker_(taker) {}
  // Any piece of the text; lines may go on in the next one.
  [[nodiscard]] Result<> read(std::string_view piece);
  [[nodiscard]] Result<> end();

 private:
  struct Column {
    std::optional<Field> field;
    int rank = 0;  // several columns of a field: the lowest that says something counts
  };
  [[nodiscard]] static Column column_of(std::string_view name);

  [[nodiscard]] Result<> line(std::string_view text);
  [[nodiscard]] bool read_header(std::string_view text, bool is_comment);
  void look_for_columns(std::string_view text);
  [[nodiscard]] Result<> plain(std::string_view text);
  [[nodiscard]] Result<> hosts(std::string_view text);
  [[nodiscard]] Result<> csv(std::string_view text);
  [[nodiscard]] Result<> csv_goes_on(std::string_view text);
  [[nodiscard]] Result<> csv_has_no_end();
  [[nodiscard]] Result<> csv_row();

  Format format_;
  Taker& taker_;
  Row row_;
  std::string rest_;                // of the last piece
  std::uint64_t number_ = 0;
  bool is_plain_ = false;           // the first line decided
  std::vector<Column> columns_;     // none: not known yet, or plain
  std::vector<std::string> cells_;
  std::string record_;              // its quoted cell goes on in the next line
};

}  // namespace picket::lists
