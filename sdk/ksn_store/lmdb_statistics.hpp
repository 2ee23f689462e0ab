// What clients counted, in LMDB: sums by day and name for kYearsOfSums, and the ids that came in the last days, of which each counts once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ksn_store/lmdb_environment.hpp"
#include "ksn_store/store.hpp"

namespace picket::ksn_store::lmdb {

class Statistics {
 public:
  explicit Statistics(const Environment& environment) : env_(environment) {}

  // In a transaction that is committed afterwards. `flags`: MDB_CREATE, or 0.
  [[nodiscard]] Result<> open(MDB_txn* txn, unsigned flags);
  // Store::count and Store::counted.
  [[nodiscard]] Result<bool> count(const Counted& counted);
  [[nodiscard]] Result<std::map<std::string, std::map<std::string, std::uint64_t>>> counted(MDB_txn* txn) const;

 private:
  [[nodiscard]] Result<> remember_day(MDB_txn* txn, const std::string& day);
  // From the first key on that is not less than `from`.
  template <class IsOld>
  [[nodiscard]] Result<> drop_rows(MDB_txn* txn, MDB_dbi table, std::string_view from, IsOld is_old) const;

  const Environment& env_;
  MDB_dbi sums_ = 0, seen_ = 0;
  std::vector<std::string> days_;  // of which ids are remembered; only while a write transaction is open
};

}  // namespace picket::ksn_store::lmdb
