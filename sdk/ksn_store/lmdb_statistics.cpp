#include "ksn_store/lmdb_statistics.hpp"

#include <algorithm>
#include <cstdlib>

namespace picket::ksn_store::lmdb {
namespace {

constexpr std::size_t kDaysRemembered = 8;
constexpr std::size_t kDayBytes = 10;  // YYYY-MM-DD, which begins the keys of both tables

}  // namespace

Result<> Statistics::open(MDB_txn* txn, unsigned flags) {
  PICKET_TRY(env_.open_table(txn, "statistics", flags, sums_));
  PICKET_TRY(env_.open_table(txn, "seen", flags, seen_));
  return env_.each(txn, seen_, [&](std::string_view key, std::string_view) {
    const auto day = key.substr(0, kDayBytes);
    if (key.size() > kDayBytes && (days_.empty() || days_.back() != day)) days_.emplace_back(day);
  });
}

Result<bool> Statistics::count(const Counted& counted) {
  PICKET_LET(txn, env_.begin(0, "write"));
  const auto seen = cat(counted.day, counted.id);
  auto key = val(seen), value = val("");
  const int status = mdb_put(txn.get(), seen_, &key, &value, MDB_NOOVERWRITE);
  if (status == MDB_KEYEXIST) return false;
  PICKET_TRY(env_.did("write", status));
  // What came yesterday may come again today, its first answer lost.
  for (const auto& day : days_) {
    const auto before = cat(day, counted.id);
    auto earlier = val(before);
    if (day != counted.day && mdb_get(txn.get(), seen_, &earlier, &value) == MDB_SUCCESS) return false;
  }
  PICKET_TRY(remember_day(txn.get(), counted.day));
  for (const auto& [name, number] : counted.counters) {
    const auto sum_name = cat(counted.day, "/", name);
    auto sum_key = val(sum_name);
    MDB_val old{};
    const auto sum = mdb_get(txn.get(), sums_, &sum_key, &old) == MDB_SUCCESS ? number_of<std::uint64_t>(view(old)) : 0;
    PICKET_TRY(env_.put(txn.get(), sums_, sum_name, bytes_of(sum + number < sum ? ~std::uint64_t{0} : sum + number)));
  }
  PICKET_TRY(env_.commit(std::move(txn)));
  return true;
}

Result<std::map<std::string, std::map<std::string, std::uint64_t>>> Statistics::counted(MDB_txn* txn) const {
  std::map<std::string, std::map<std::string, std::uint64_t>> out;
  PICKET_TRY(env_.each(txn, sums_, [&](std::string_view key, std::string_view value) {
    if (key.size() > kDayBytes + 1) out[std::string(key.substr(0, kDayBytes))][std::string(key.substr(kDayBytes + 1))] = number_of<std::uint64_t>(value);
  }));
  return out;
}

Result<> Statistics::remember_day(MDB_txn* txn, const std::string& day) {
  if (std::find(days_.begin(), days_.end(), day) == days_.end()) {
    days_.push_back(day);
    const auto first = cat(std::to_string(std::strtol(day.c_str(), nullptr, 10) - kYearsOfSums), day.substr(4));
    PICKET_TRY(drop_rows(txn, sums_, "", [&](std::string_view key) { return key < first; }));
  }
  for (; days_.size() > kDaysRemembered; days_.erase(days_.begin()))
    PICKET_TRY(drop_rows(txn, seen_, days_.front(), [&](std::string_view key) { return key.starts_with(days_.front()); }));
  return {};
}

template <class IsOld>
Result<> Statistics::drop_rows(MDB_txn* txn, MDB_dbi table, std::string_view from, IsOld is_old) const {
  PICKET_LET(cursor, env_.cursor_of(txn, table));
  auto key = val(from);
  MDB_val value{};
  int status = mdb_cursor_get(cursor.get(), &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
  for (; status == MDB_SUCCESS && is_old(view(key)); status = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT))
    PICKET_TRY(env_.did("write", mdb_cursor_del(cursor.get(), 0)));
  return {};
}

}  // namespace picket::ksn_store::lmdb
