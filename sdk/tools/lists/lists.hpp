// Lists of files, web addresses and software, as publishers have them, read row by row. Input is anybody's.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace picket::lists {

enum class Format { automatic, csv, plain, misp };

// What a row may say. In a CSV the names in the header tell which column is what.
enum class Field { object, sha256, name, category, verdict, kind, publisher, product, popularity, first_seen, countries, trust_group, signature };
constexpr std::size_t kFields = 13;

struct Row {
  std::uint64_t number = 0;             // of its line, or of its entry in JSON
  bool is_entry = false;
  std::string_view text;                // as it stands there
  std::array<std::string, kFields> fields;
  std::string_view digest;              // of a raw list: 32 bytes, and no fields
  bool has_sha256_column = false;
  std::string_view list_name, list_type;  // of a MISP warninglist

  [[nodiscard]] std::string& operator[](Field field) { return fields[static_cast<std::size_t>(field)]; }
  [[nodiscard]] const std::string& operator[](Field field) const { return fields[static_cast<std::size_t>(field)]; }
  [[nodiscard]] std::string where() const { return cat(is_entry ? "entry " : "line ", std::to_string(number)); }
};

// Who a list is read for. An error of these ends the reading.
class Taker {
 public:
  virtual ~Taker() = default;
  // Finds the column of a CSV that has no header.
  [[nodiscard]] virtual bool is_object(std::string_view word) const = 0;
  [[nodiscard]] virtual Result<> take(const Row& row) = 0;
  [[nodiscard]] virtual Result<> wrong(const Row& row, std::string_view why) = 0;  // no row can be read there
};

// Code::invalid: the list as a whole cannot be read. Code::too_large: more than 4 GiB (64 MiB of JSON).
[[nodiscard]] Result<> read(std::string_view text, Format format, Taker& taker);
[[nodiscard]] Result<> read_file(const std::filesystem::path& path, Format format, Taker& taker);

// A digest of some kind, in hex.
[[nodiscard]] bool is_digest(std::string_view word);
[[nodiscard]] std::string_view trimmed(std::string_view text);
[[nodiscard]] std::string lower(std::string_view text);  // ASCII

}  // namespace picket::lists
