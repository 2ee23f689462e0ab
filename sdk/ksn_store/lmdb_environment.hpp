// The files of an LMDB store: data.mdb and lock.mdb. A full disk, or a file that was changed under us, is an error and never a bus error.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include <lmdb.h>
#include <sys/types.h>

#include "base/result.hpp"

namespace picket::ksn_store::lmdb {

inline MDB_val val(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
inline std::string_view view(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

// Numbers are kept as they lie in memory: little-endian, as buckets.cpp asserts. Bytes that are lacking are zero.
template <class Number>
std::string_view bytes_of(const Number& number) { return {reinterpret_cast<const char*>(&number), sizeof number}; }
template <class Number>
Number number_of(std::string_view bytes) {
  Number out = 0;
  std::memcpy(&out, bytes.data(), std::min(sizeof out, bytes.size()));
  return out;
}

struct Abort {
  void operator()(MDB_txn* txn) const { mdb_txn_abort(txn); }
};
using Txn = std::unique_ptr<MDB_txn, Abort>;
struct CloseCursor {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using Cursor = std::unique_ptr<MDB_cursor, CloseCursor>;  // of a transaction that writes: closed before that is committed

// Any thread. Errors name the folder: Code::no_space for a full disk or map, Code::unavailable for all else.
class Environment {
 public:
  // Without `create`, where there is none: Code::unavailable.
  [[nodiscard]] Result<> open(const std::string& folder, bool create);
  // Whether data.mdb is still the file that was opened; cheap.
  [[nodiscard]] Result<> check() const;

  // `flags`: 0 to write, MDB_RDONLY.
  [[nodiscard]] Result<Txn> begin(unsigned flags, std::string_view doing) const;
  [[nodiscard]] Result<> commit(Txn txn) const { return did("write", mdb_txn_commit(txn.release())); }
  [[nodiscard]] Result<Cursor> cursor_of(MDB_txn* txn, MDB_dbi table) const;
  // `flags`: of mdb_dbi_open.
  [[nodiscard]] Result<> open_table(MDB_txn* txn, const char* name, unsigned flags, MDB_dbi& table) const;
  [[nodiscard]] Result<> put(MDB_txn* txn, MDB_dbi table, std::string_view key, std::string_view value) const;
  // `use(key, value)` for all rows, in order.
  template <class Use>
  [[nodiscard]] Result<> each(MDB_txn* txn, MDB_dbi table, Use use) const {
    PICKET_LET(cursor, cursor_of(txn, table));
    MDB_val key{}, value{};
    int status = mdb_cursor_get(cursor.get(), &key, &value, MDB_FIRST);
    for (; status == MDB_SUCCESS; status = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) use(view(key), view(value));
    return did("read", status == MDB_NOTFOUND ? MDB_SUCCESS : status);
  }

  // What LMDB answered, as a Result.
  [[nodiscard]] Result<> did(std::string_view doing, int status) const {
    if (status == MDB_SUCCESS) return {};
    return broken(doing, status);
  }
  [[nodiscard]] tl::unexpected<Error> broken(std::string_view doing, int status) const;
  [[nodiscard]] tl::unexpected<Error> unavailable(std::string_view why) const;
  [[nodiscard]] const std::string& folder() const { return folder_; }

 private:
  struct Close {
    void operator()(MDB_env* env) const { mdb_env_close(env); }
  };
  [[nodiscard]] Result<> make_room_for_readers() const;

  std::string folder_, file_;
  std::unique_ptr<MDB_env, Close> env_;
  ino_t inode_ = 0;
  dev_t device_ = 0;
};

}  // namespace picket::ksn_store::lmdb
