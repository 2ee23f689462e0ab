#include "storage/counters.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

namespace picket::storage {
namespace {

constexpr std::uint64_t kCompactAbove = 32 * 1024;

std::string line(std::string_view name, std::uint64_t value) { return cat(std::to_string(value), " ", name); }

}  // namespace

Result<Counters> Counters::open(std::filesystem::path path) {
  std::map<std::string, std::uint64_t, std::less<>> values;
  PICKET_LET(journal, Journal::open(std::move(path), [&](std::string_view record) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(record.data(), record.data() + record.size(), value);
    const auto used = static_cast<std::size_t>(end - record.data());
    if (error != std::errc{} || used >= record.size() || record[used] != ' ') return;  // written by something newer
    auto& known = values[std::string(record.substr(used + 1))];
    known = std::max(known, value);
  }));
  Counters counters(std::move(journal));
  counters.values_ = std::move(values);
  return counters;
}

std::uint64_t Counters::get(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? 0 : found->second;
}

Result<> Counters::raise(std::string_view name, std::uint64_t value) {
  const auto known = get(name);
  if (value == known) return {};
  if (value < known)
    return fail(Code::conflict, cat("counter ", name, ": ", std::to_string(value), " is lower than ", std::to_string(known)));
  if (journal_.size() > kCompactAbove) {
    std::vector<std::string> records;
    for (const auto& [other, held] : values_)
      if (other != name) records.push_back(line(other, held));
    records.push_back(line(name, value));
    PICKET_TRY(journal_.rewrite(records));
  } else {
    PICKET_TRY(journal_.append(line(name, value)));
  }
  values_[std::string(name)] = value;
  return {};
}

Result<std::uint64_t> Counters::next(std::string_view name) {
  const auto value = get(name) + 1;
  PICKET_TRY(raise(name, value));
  return value;
}

}  // namespace picket::storage
