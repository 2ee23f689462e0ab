#include "ksn_store/lmdb_environment.hpp"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>

#include "base/files.hpp"

namespace picket::ksn_store::lmdb {
namespace {

constexpr std::size_t kMapBytes = std::size_t{16} << 30;  // addresses only: the file grows with what is in it
constexpr unsigned kReaders = 1024;
constexpr off_t kLockBytes = 128 << 10;  // more than the table of so many readers
constexpr std::uintmax_t kNoRoom = 64 << 10;

}  // namespace

Result<> Environment::open(const std::string& folder, bool create) {
  folder_ = folder;
  file_ = folder + "/data.mdb";
  if (create)
    PICKET_TRY(make_folders(folder_, 0750));
  else if (!std::filesystem::exists(file_))
    return unavailable("there is none: picket-ksn init makes it");
  MDB_env* env = nullptr;
  PICKET_TRY(did("open", mdb_env_create(&env)));
  env_.reset(env);
  mdb_env_set_mapsize(env, kMapBytes);
  mdb_env_set_maxdbs(env, 16);
  mdb_env_set_maxreaders(env, kReaders);
  PICKET_TRY(make_room_for_readers());
  // Transactions pass from thread to thread; reading ahead in random order only evicts what is wanted.
  PICKET_TRY(did("open", mdb_env_open(env, folder_.c_str(), MDB_NOTLS | MDB_NORDAHEAD, 0640)));
  mdb_reader_check(env, nullptr);  // a killed process left its readers, which keep old pages from being used again
  struct stat now {};
  if (::stat(file_.c_str(), &now) != 0) return fail_errno(cat("store ", folder_));
  inode_ = now.st_ino, device_ = now.st_dev;
  return check();
}

// LMDB writes its table of readers through a mapping: where the disk is full and the file has a hole, that is a bus error. It makes the file longer by a
// hole, and so do other programs that open a store; hence one that is there already is filled too.
Result<> Environment::make_room_for_readers() const {
  const UniqueFd file(::open((folder_ + "/lock.mdb").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  struct stat info {};
  // LMDB's lock of whoever has the store open. While there is one the table keeps its length: with more readers than it has mapped it would look beyond.
  struct flock users {};
  users.l_type = F_WRLCK, users.l_whence = SEEK_SET, users.l_len = 1;
  if (!file || ::fstat(file.get(), &info) != 0 || ::fcntl(file.get(), F_GETLK, &users) != 0) return {};  // LMDB says why it cannot be opened
  const bool is_used = users.l_type != F_UNLCK;
  const off_t bytes = is_used ? info.st_size : std::max(info.st_size, kLockBytes);
  constexpr off_t kBlock = 512;  // the unit of st_blocks
  if (bytes <= info.st_size && bytes <= info.st_blocks * kBlock) return {};
  // Where the file system cannot do it by itself posix_fallocate writes, which whoever maps the file must not see.
  const int status = !is_used ? ::posix_fallocate(file.get(), 0, bytes) : ::fallocate(file.get(), 0, 0, bytes) == 0 || errno == EOPNOTSUPP ? 0 : errno;
  if (status == 0) return {};
  if (!is_used) (void)!::ftruncate(file.get(), info.st_size);
  return broken("make room for lock.mdb", status);
}

// A file that was removed, exchanged or cut under us: reading on would be reading a ghost, or a bus error.
Result<> Environment::check() const {
  struct stat now {};
  if (::stat(file_.c_str(), &now) != 0) return unavailable("data.mdb is missing");
  if (now.st_ino != inode_ || now.st_dev != device_) return unavailable("data.mdb was exchanged");
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(env_.get(), &info);
  mdb_env_stat(env_.get(), &stat);
  if (static_cast<std::uint64_t>(now.st_size) < (std::uint64_t{info.me_last_pgno} + 1) * stat.ms_psize) return unavailable("data.mdb is shorter than its content");
  return {};
}

Result<Txn> Environment::begin(unsigned flags, std::string_view doing) const {
  MDB_txn* txn = nullptr;
  PICKET_TRY(did(doing, mdb_txn_begin(env_.get(), nullptr, flags, &txn)));
  return Txn(txn);
}

Result<Cursor> Environment::cursor_of(MDB_txn* txn, MDB_dbi table) const {
  MDB_cursor* cursor = nullptr;
  PICKET_TRY(did("read", mdb_cursor_open(txn, table, &cursor)));
  return Cursor(cursor);
}

Result<> Environment::open_table(MDB_txn* txn, const char* name, unsigned flags, MDB_dbi& table) const {
  const int status = mdb_dbi_open(txn, name, flags, &table);
  if (status == MDB_NOTFOUND) return unavailable(cat("holds no table \"", name, "\": not a store of KSN's"));
  return did("open", status);
}

Result<> Environment::put(MDB_txn* txn, MDB_dbi table, std::string_view key_text, std::string_view value_text) const {
  auto key = val(key_text), value = val(value_text);
  return did("write", mdb_put(txn, table, &key, &value, 0));
}

tl::unexpected<Error> Environment::broken(std::string_view doing, int status) const {
  std::error_code error;
  // LMDB calls what a full disk took only a part of an input/output error.
  if (status == EIO && std::filesystem::space(folder_, error).available < kNoRoom && !error) status = ENOSPC;
  const auto code = status == MDB_MAP_FULL || status == ENOSPC ? Code::no_space : Code::unavailable;
  return fail(code, cat("store ", folder_, ": ", doing, ": ", mdb_strerror(status)));
}

tl::unexpected<Error> Environment::unavailable(std::string_view why) const { return fail(Code::unavailable, cat("store ", folder_, ": ", why)); }

}  // namespace picket::ksn_store::lmdb
