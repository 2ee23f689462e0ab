#include "ctl/table.hpp"

#include <algorithm>

#include "runtime/log_text.hpp"

namespace picket::ctl {
namespace {

// Code points: near enough for what is shown here.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::size_t filled(const std::vector<Cell>& row) {
  auto count = row.size();
  while (count > 1 && row[count - 1].text.empty()) --count;
  return count;
}

}  // namespace

Table::Table(std::initializer_list<std::string_view> heading) : heading_(heading.size() != 0) {
  if (!heading_) return;
  std::vector<Cell> row;
  for (const auto name : heading) row.emplace_back(name, Style::strong);
  rows_.push_back(std::move(row));
}

void Table::add(std::vector<Cell> row) {
  for (auto& cell : row) cell.text = runtime::printable(cell.text);
  rows_.push_back(std::move(row));
}

void Table::print(Terminal& terminal, std::size_t first_width) const {
  std::vector<std::size_t> widths{first_width};
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    // In a list nothing follows a row's last cell, so it may be longer than its column.
    for (std::size_t i = 0; i + (heading_ ? 0 : 1) < filled(row); ++i) widths[i] = std::max(widths[i], width(row[i].text));
  }
  std::string text;
  for (const auto& row : rows_) {
    const auto last = filled(row);
    for (std::size_t i = 0; i < last; ++i) {
      text += terminal.styled(row[i].style, row[i].text);
      if (i + 1 < last) text.append(widths[i] - width(row[i].text) + 2, ' ');
    }
    text += '\n';
  }
  terminal.out(text);
}

}  // namespace picket::ctl
