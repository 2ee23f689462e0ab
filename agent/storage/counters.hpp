// Named numbers that only grow, also across crashes and damage of other files: run numbers, the highest revision ever seen.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "storage/journal.hpp"

namespace picket::storage {

class Counters {
 public:
  [[nodiscard]] static Result<Counters> open(std::filesystem::path path);

  [[nodiscard]] std::uint64_t get(std::string_view name) const;  // 0: never raised
  // On disk when it returns OK. Lower than what is known: Code::conflict; equal: nothing is written.
  [[nodiscard]] Result<> raise(std::string_view name, std::uint64_t value);
  [[nodiscard]] Result<std::uint64_t> next(std::string_view name);  // raises by one

  [[nodiscard]] std::uint64_t damaged_bytes() const { return journal_.replayed().damaged_bytes; }

 private:
  explicit Counters(Journal journal) : journal_(std::move(journal)) {}
  Journal journal_;
  std::map<std::string, std::uint64_t, std::less<>> values_;
};

}  // namespace picket::storage
