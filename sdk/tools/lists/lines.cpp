#include "lists/lines.hpp"

#include <algorithm>

#include "lists/csv.hpp"

namespace picket::lists {
namespace {

constexpr std::uint64_t kMostLinesOfRecord = 100;

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// A hosts file sends names to nowhere. Names without a dot are the computer's own, as every such file has them at its top.
bool is_nowhere(std::string_view word) {
  return word == "0.0.0.0" || word == "127.0.0.1" || word == "::" || word == "::1" || word == "255.255.255.255" || word.starts_with("fe80::") || (word.starts_with("ff0") && word.find("::") != word.npos);
}
bool is_of_hosts_file(std::string_view text) {
  const auto end = text.find_first_of(" \t");
  return end != text.npos && is_nowhere(text.substr(0, end)) && !trimmed(text.substr(end)).starts_with('#');
}
bool is_own_name(std::string_view name) { return name.find('.') == name.npos || name == "localhost.localdomain" || is_nowhere(name); }

}  // namespace

bool is_digest(std::string_view word) {
  constexpr std::array<std::size_t, 6> sizes{32, 40, 56, 64, 96, 128};
  return std::find(sizes.begin(), sizes.end(), word.size()) != sizes.end() && word.find_first_not_of("0123456789abcdefABCDEF") == word.npos;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n\v\f";
  const auto begin = text.find_first_not_of(kBlank);
  return begin == text.npos ? std::string_view() : text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

Lines::Column Lines::column_of(std::string_view name) {
  struct Known {
    Field field;
    std::string_view names;  // the first that says something counts
  };
  constexpr std::array<Known, kFields> known{{
      {Field::sha256, "sha256 sha256_hash sha-256 sha256hash hash_sha256"},
      {Field::object, "object digest hash url domain host hostname address ip dst_ip"},
      {Field::name, "name threat signature malware family threat_name comment description"},
      {Field::category, "category type threat_type class"},
      {Field::verdict, "verdict reputation"},
      {Field::kind, "kind type_of_object"},
      {Field::publisher, "publisher vendor"},
      {Field::product, "product"},
      {Field::popularity, "popularity users"},
      {Field::first_seen, "first_seen first_seen_utc dateadded"},
      {Field::countries, "countries country"},
      {Field::trust_group, "trust_group"},
      {Field::signature, "signature_state"},  // "signature" is a threat's name in lists of others
  }};
  const auto wanted = lower(name);
  for (const auto& [field, names] : known) {
    int rank = 0;
    for (auto rest = names; !rest.empty(); ++rank) {
      const auto end = std::min(rest.find(' '), rest.size());
      if (rest.substr(0, end) == wanted) return {field, rank};
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return {};
}

Result<> Lines::read(std::string_view piece) {
  while (true) {
    const auto end = piece.find('\n');
    if (rest_.size() + std::min(end, piece.size()) > kMostLine) return fail(Code::invalid, cat("line ", std::to_string(number_ + 1), " is longer than ", std::to_string(kMostLine), " bytes"));
    if (end == piece.npos) {
      rest_.append(piece);
      return {};
    }
    if (rest_.empty()) {
      PICKET_TRY(line(piece.substr(0, end)));
    } else {
      rest_.append(piece.substr(0, end));
      PICKET_TRY(line(rest_));
      rest_.clear();
    }
    piece.remove_prefix(end + 1);
  }
}

Result<> Lines::end() {
  if (!rest_.empty()) PICKET_TRY(line(rest_));
  return record_.empty() ? Result<>() : csv_has_no_end();
}

Result<> Lines::line(std::string_view text) {
  if (++number_ == 1 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  if (!record_.empty()) return csv_goes_on(text);
  text = trimmed(text);
  if (text.empty()) return {};
  row_.number = number_;
  row_.text = text;
  const bool is_comment = text.front() == '#' || text.starts_with("//");
  const bool is_open = columns_.empty() && !is_plain_ && format_ != Format::plain;
  if (is_open && read_header(text, is_comment)) return {};
  if (is_comment) return {};
  if (is_open) look_for_columns(text);
  return columns_.empty() ? plain(text) : csv(text);
}

// In a comment, where abuse.ch has it, a single word is too little to believe it.
bool Lines::read_header(std::string_view text, bool is_comment) {
  if (is_comment) text.remove_prefix(std::min(text.find_first_not_of("#/ \t"), text.size()));
  if (!csv_cells(text, cells_)) return false;
  std::vector<Column> columns;
  std::ptrdiff_t known = 0;
  bool has_sha256 = false, has_object = false;
  for (const auto& cell : cells_) {
    const auto& column = columns.emplace_back(column_of(cell));
    known += column.field.has_value();
    has_sha256 |= column.field == Field::sha256;
    has_object |= column.field == Field::object || column.field == Field::publisher;
  }
  if (!has_sha256 && (!has_object || (is_comment && known < 2))) return false;
  columns_ = std::move(columns);
  row_.has_sha256_column = has_sha256;
  return true;
}

// The first line without a header decides: CSV where a column names an object, else plain. What is behind the object is its name.
void Lines::look_for_columns(std::string_view text) {
  const auto first = text.substr(0, text.find_first_of(";,\t "));
  const bool is_csv = format_ == Format::csv || (!is_of_hosts_file(text) && text.find(',') != text.npos && text.find(';') == text.npos && !(is_digest(first) && is_blank(text[first.size()])));
  if (!is_csv) {
    is_plain_ = true;
    return;
  }
  (void)csv_cells(text, cells_);
  const auto object = std::find_if(cells_.begin(), cells_.end(), [&](const std::string& cell) { return taker_.is_object(cell); });
  if (object == cells_.end()) return;
  const auto at = static_cast<std::size_t>(object - cells_.begin());
  columns_.resize(at + 2);
  columns_[at] = {Field::object, 0};
  columns_[at + 1] = {Field::name, 0};
}

Result<> Lines::plain(std::string_view text) {
  std::string_view object = text, name;
  if (const auto first = text.substr(0, text.find_first_of(";,\t ")); is_digest(first)) {
    object = first;
    // sha256sum writes a file's name after blanks, and a '*' before it.
    name = text.substr(first.size());
    name.remove_prefix(std::min(name.find_first_not_of(" \t*;,#"), name.size()));
    if (name == "-") name = {};  // sha256sum of its standard input
  } else {
    if (const auto hash = object.find(" #"); hash != object.npos) name = trimmed(object.substr(hash + 2)), object = trimmed(object.substr(0, hash));
    if (const auto semicolon = object.find(';'); semicolon != object.npos) name = trimmed(object.substr(semicolon + 1)), object = trimmed(object.substr(0, semicolon));
  }
  row_[Field::name] = name;
  if (is_of_hosts_file(object)) return hosts(object);
  row_[Field::object] = object;
  return taker_.take(row_);
}

Result<> Lines::hosts(std::string_view text) {
  for (text.remove_prefix(text.find_first_of(" \t")); !(text = trimmed(text)).empty();) {
    const auto name = text.substr(0, text.find_first_of(" \t"));
    if (name.starts_with('#')) return {};
    text.remove_prefix(name.size());
    if (is_own_name(name)) continue;
    row_[Field::object] = name;
    PICKET_TRY(taker_.take(row_));
  }
  return {};
}

Result<> Lines::csv(std::string_view text) {
  if (csv_cells(text, cells_)) return csv_row();
  record_ = text;
  return {};
}

Result<> Lines::csv_goes_on(std::string_view text) {
  record_ += '\n';
  record_ += text;
  if (text.find('"') != text.npos && csv_cells(record_, cells_)) {
    const auto record = std::move(record_);
    record_.clear();
    row_.text = record;
    return csv_row();
  }
  if (record_.size() > kMostLine || number_ - row_.number >= kMostLinesOfRecord) return csv_has_no_end();
  return {};
}

Result<> Lines::csv_has_no_end() {
  const auto record = std::move(record_);
  record_.clear();
  for (std::string_view rest = record; row_.number <= number_; ++row_.number) {
    const auto end = std::min(rest.find('\n'), rest.size());
    row_.text = rest.substr(0, end);
    if (row_.text.find_first_not_of(" \t\r") != row_.text.npos) PICKET_TRY(taker_.wrong(row_, "a quote has no end"));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

Result<> Lines::csv_row() {
  for (auto& field : row_.fields) field.clear();
  std::array<int, kFields> ranks{};
  for (std::size_t i = 0; i < cells_.size() && i < columns_.size(); ++i) {
    const auto [field, rank] = columns_[i];
    if (!field || cells_[i].empty()) continue;
    auto& into = row_[*field];
    auto& best = ranks[static_cast<std::size_t>(*field)];
    if (*field == Field::sha256 && row_[Field::object].empty()) row_[Field::object] = cells_[i];
    // Any of the objects will do: the first.
    if (!into.empty() && (*field == Field::object || rank >= best)) continue;
    into = std::move(cells_[i]);
    best = rank;
  }
  return taker_.take(row_);
}

}  // namespace picket::lists
