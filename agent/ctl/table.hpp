// Columns for people. What came from elsewhere is made printable here, so that no plugin can drive the terminal.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/terminal.hpp"

namespace picket::ctl {

struct Cell {
  Cell(std::string_view shown) : text(shown) {}  // NOLINT: a cell is a text
  Cell(const std::string& shown) : text(shown) {}
  Cell(const char* shown) : text(shown) {}
  Cell(std::string_view shown, Style how) : text(shown), style(how) {}
  std::string text;
  Style style = Style::plain;
};

class Table {
 public:
  // No heading: a list of names and values.
  explicit Table(std::initializer_list<std::string_view> heading = {});
  void add(std::vector<Cell> row);
  // `first_width`: of the first column at least, so that several tables line up.
  void print(Terminal& terminal, std::size_t first_width = 0) const;
  [[nodiscard]] bool is_empty() const { return rows_.size() == (heading_ ? 1U : 0U); }

 private:
  bool heading_ = false;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace picket::ctl
