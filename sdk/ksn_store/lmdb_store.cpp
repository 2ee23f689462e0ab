// One LMDB environment. Objects: a database of buckets for each kind; counts: how many, by kind. Texts: by number, as facts need them; text_numbers: by
// the first 16 bytes of their SHA-256. Licences, statistics and seen ids: small databases.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>

#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "base/files.hpp"
#include "ksn/limits.hpp"
#include "ksn_store/buckets.hpp"
#include "ksn_store/store.hpp"

namespace picket::ksn_store {
namespace {

constexpr std::size_t kMapBytes = std::size_t{16} << 30;  // addresses only: the file grows with what is in it
constexpr std::size_t kTextCacheRows = 1u << 20, kRowsOfOneTransaction = 200'000;
constexpr std::size_t kDaysRemembered = 8;
constexpr unsigned kReaders = 1024;
constexpr off_t kLockBytes = 128 << 10;  // more than the table of so many readers
constexpr std::uintmax_t kNoRoom = 64 << 10;

MDB_val val(std::string_view text) { return {text.size(), const_cast<char*>(text.data())}; }
std::string_view view(const MDB_val& value) { return {static_cast<const char*>(value.mv_data), value.mv_size}; }

std::uint32_t read_number(std::string_view bytes) {
  std::uint32_t out = 0;
  for (std::size_t i = 0; i < 4; ++i) out |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return out;
}
std::array<char, 8> number_bytes(std::uint64_t number) {
  std::array<char, 8> out{};
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(number >> (8 * i));
  return out;
}
std::uint64_t read_long(std::string_view bytes) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(8, bytes.size()); ++i) out |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return out;
}

struct Abort {
  void operator()(MDB_txn* txn) const { mdb_txn_abort(txn); }
};
using Txn = std::unique_ptr<MDB_txn, Abort>;
struct CloseCursor {
  void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
};
using Cursor = std::unique_ptr<MDB_cursor, CloseCursor>;
struct CloseEnv {
  void operator()(MDB_env* env) const { mdb_env_close(env); }
};

class LmdbStore final : public Store {
 public:
  ~LmdbStore() override { readers_.clear(); }

  static Result<std::unique_ptr<Store>> open(const std::string& folder, bool create) {
    auto out = std::make_unique<LmdbStore>();
    out->folder_ = folder;
    out->file_ = folder + "/data.mdb";
    if (auto opened = out->open_env(create); !opened) return fail(std::move(opened).error());
    return out;
  }

  Result<> look_up(int kind, std::string_view digests, Batch& out) override {
    PICKET_LET(table, table_of(kind));
    PICKET_LET(reader, lease());
    PICKET_LET(cursor, cursor_of(reader->txn.get(), table));
    auto& found = reader->found;
    found.clear();
    if (const int status = buckets::find(cursor.get(), digests, found); status != MDB_SUCCESS) return broken("read", status);
    for (const char* at : found) {
      Batch::One one;
      if (at) {
        one.begin = static_cast<std::uint32_t>(out.bytes.size());
        PICKET_TRY(append_object(*reader.reader, buckets::Object::read(at), out.bytes, one.verdict));
        one.size = static_cast<std::uint32_t>(out.bytes.size()) - one.begin;
      }
      out.of.push_back(one);
    }
    return {};
  }

  Result<std::vector<Under>> under(int kind, std::string_view prefix, std::size_t most) override {
    PICKET_LET(table, table_of(kind));
    PICKET_LET(reader, lease());
    PICKET_LET(cursor, cursor_of(reader->txn.get(), table));
    auto& found = reader->found;
    found.clear();
    if (const int status = buckets::under(cursor.get(), prefix, most, found); status != MDB_SUCCESS) return broken("read", status);
    if (found.size() > most) return fail(Code::too_large, cat("more than ", std::to_string(most), " objects under a prefix of ", std::to_string(prefix.size()), " bytes"));
    std::vector<Under> out(found.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto object = buckets::Object::read(found[i]);
      out[i].digest = object.digest;
      PICKET_TRY(append_object(*reader.reader, object, out[i].facts, out[i].verdict));
    }
    return out;
  }

  Result<> put(int kind, std::span<Row> rows) override {
    PICKET_LET(table, table_of(kind));
    // Equal digests: the last one given stays, as if they had come one after the other.
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.digest < b.digest; });
    for (std::size_t begin = 0; begin < rows.size(); begin += kRowsOfOneTransaction)
      PICKET_TRY(put_some(kind, table, rows.subspan(begin, std::min(kRowsOfOneTransaction, rows.size() - begin))));
    return {};
  }

  Result<std::uint64_t> remove(int kind, std::span<const std::string> digests) override {
    PICKET_LET(table, table_of(kind));
    PICKET_LET(txn, begin_write());
    PICKET_LET(cursor, cursor_of(txn.get(), table));
    std::uint64_t removed = 0;
    for (const auto& digest : digests) {
      bool was = false;
      if (const int status = buckets::remove(cursor.get(), digest, was); status != MDB_SUCCESS) return broken("write", status);
      removed += was;
    }
    cursor.reset();
    PICKET_TRY(change_count(txn.get(), kind, ~removed + 1));
    PICKET_TRY(commit(std::move(txn)));
    return removed;
  }

  Result<std::optional<Licence>> licence(std::string_view id) override {
    if (id.empty() || id.size() > ksn::kMostTextBytes) return std::nullopt;
    PICKET_LET(reader, lease());
    auto key = val(id);
    MDB_val value{};
    const int status = mdb_get(reader->txn.get(), licences_, &key, &value);
    if (status == MDB_NOTFOUND) return std::nullopt;
    if (status != MDB_SUCCESS) return broken("read", status);
    return read_licence(id, view(value));
  }

  Result<std::vector<Licence>> licences() override {
    std::vector<Licence> out;
    PICKET_TRY(each(licences_, [&](std::string_view key, std::string_view value) { out.push_back(read_licence(key, value)); }));
    return out;
  }

  Result<> put_licence(const Licence& licence) override {
    PICKET_LET(txn, begin_write());
    const auto expires = number_bytes(static_cast<std::uint64_t>(licence.expires));
    PICKET_TRY(put_one(txn.get(), licences_, licence.id, cat(licence.blocked ? "b" : "k", std::string_view(expires.data(), expires.size()), licence.holder)));
    return commit(std::move(txn));
  }

  Result<bool> count(const Counted& counted) override {
    PICKET_LET(txn, begin_write());
    const auto seen = cat(counted.day, counted.id);
    auto key = val(seen);
    auto value = val("");
    const int status = mdb_put(txn.get(), seen_, &key, &value, MDB_NOOVERWRITE);
    if (status == MDB_KEYEXIST) return false;
    if (status != MDB_SUCCESS) return broken("write", status);
    // What came yesterday may come again today, its first answer lost.
    for (const auto& day : days_) {
      const auto before = cat(day, counted.id);
      auto earlier = val(before);
      if (day != counted.day && mdb_get(txn.get(), seen_, &earlier, &value) == MDB_SUCCESS) return false;
    }
    PICKET_TRY(remember_day(txn.get(), counted.day));
    for (const auto& [name, number] : counted.counters) {
      const auto name_key = cat(counted.day, "/", name);
      auto sum_key = val(name_key);
      MDB_val old{};
      const auto sum = mdb_get(txn.get(), statistics_, &sum_key, &old) == MDB_SUCCESS ? read_long(view(old)) : 0;
      const auto fresh = number_bytes(sum + number < sum ? ~std::uint64_t{0} : sum + number);
      PICKET_TRY(put_one(txn.get(), statistics_, name_key, {fresh.data(), fresh.size()}));
    }
    PICKET_TRY(commit(std::move(txn)));
    return true;
  }

  Result<std::map<std::string, std::map<std::string, std::uint64_t>>> counted() override {
    std::map<std::string, std::map<std::string, std::uint64_t>> out;
    PICKET_TRY(each(statistics_, [&](std::string_view key, std::string_view value) {
      if (key.size() > 11) out[std::string(key.substr(0, 10))][std::string(key.substr(11))] = read_long(value);
    }));
    return out;
  }

  Result<std::optional<std::uint64_t>> objects(int kind) override {
    PICKET_TRY(table_of(kind));
    PICKET_LET(reader, lease());
    PICKET_LET(count, count_of(reader->txn.get(), kind));
    return count;
  }

  // A file that was removed, exchanged or cut under us: reading on would be reading a ghost, or a bus error.
  Result<> check() override {
    struct stat now {};
    if (::stat(file_.c_str(), &now) != 0) return fail(Code::unavailable, cat("store ", folder_, ": data.mdb is missing"));
    if (now.st_ino != inode_ || now.st_dev != device_) return fail(Code::unavailable, cat("store ", folder_, ": data.mdb was exchanged"));
    MDB_envinfo info{};
    MDB_stat stat{};
    mdb_env_info(env_.get(), &info);
    mdb_env_stat(env_.get(), &stat);
    if (static_cast<std::uint64_t>(now.st_size) < (std::uint64_t{info.me_last_pgno} + 1) * stat.ms_psize)
      return fail(Code::unavailable, cat("store ", folder_, ": data.mdb is shorter than its content"));
    return {};
  }
  std::string name() const override { return cat("LMDB ", folder_); }

 private:
  struct Reader {
    Txn txn;
    std::vector<std::string> texts;  // by number, as far as asked for
    std::vector<const char*> found;
  };
  // A read transaction for as long as it lives.
  struct Lease {
    LmdbStore* store;
    std::unique_ptr<Reader> reader;
    Lease(LmdbStore* from, std::unique_ptr<Reader> got) : store(from), reader(std::move(got)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (!reader) return;
      mdb_txn_reset(reader->txn.get());
      const std::lock_guard lock(store->mutex_);
      store->readers_.push_back(std::move(reader));
    }
    Reader* operator->() const { return reader.get(); }
  };

  tl::unexpected<Error> broken(std::string_view doing, int status) const {
    std::error_code error;
    // LMDB calls what a full disk took only a part of an input/output error.
    if (status == EIO && std::filesystem::space(folder_, error).available < kNoRoom && !error) status = ENOSPC;
    const auto code = status == MDB_MAP_FULL || status == ENOSPC ? Code::no_space : Code::unavailable;
    return fail(code, cat("store ", folder_, ": ", doing, ": ", mdb_strerror(status)));
  }

  // LMDB writes its table of readers through a mapping: where the disk is full and the file has a hole, that is a bus error. It makes the file longer by a
  // hole, and so do other programs that open a store; hence one that is there already is filled too.
  Result<> make_room_for_readers() const {
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

  Result<> open_env(bool create) {
    if (create)
      PICKET_TRY(make_folders(folder_, 0750));
    else if (!std::filesystem::exists(file_))
      return fail(Code::unavailable, cat("store ", folder_, ": there is none: picket-ksn init makes it"));
    MDB_env* env = nullptr;
    if (const int status = mdb_env_create(&env); status != MDB_SUCCESS) return broken("open", status);
    env_.reset(env);
    mdb_env_set_mapsize(env, kMapBytes);
    mdb_env_set_maxdbs(env, 16);
    mdb_env_set_maxreaders(env, kReaders);
    PICKET_TRY(make_room_for_readers());
    // Transactions pass from thread to thread; reading ahead in random order only evicts what is wanted.
    if (const int status = mdb_env_open(env, folder_.c_str(), MDB_NOTLS | MDB_NORDAHEAD, 0640); status != MDB_SUCCESS) return broken("open", status);
    mdb_reader_check(env, nullptr);  // a killed process left its readers, which keep old pages from being used again
    struct stat now {};
    if (::stat(file_.c_str(), &now) != 0) return fail_errno(cat("store ", folder_));
    inode_ = now.st_ino, device_ = now.st_dev;
    PICKET_TRY(check());
    MDB_txn* raw = nullptr;
    if (const int status = mdb_txn_begin(env, nullptr, create ? 0u : MDB_RDONLY, &raw); status != MDB_SUCCESS) return broken("open", status);
    Txn txn(raw);
    if (MDB_dbi former = 0; mdb_dbi_open(raw, "files", 0, &former) == MDB_SUCCESS)
      return fail(Code::unavailable, cat("store ", folder_, ": an earlier version made it: make a new one, and import the lists and licences again"));
    struct Table {
      const char* name;
      MDB_dbi* is;
      unsigned flags = 0;
    };
    const Table tables[] = {{"file_buckets", &objects_[0], MDB_INTEGERKEY}, {"address_buckets", &objects_[1], MDB_INTEGERKEY}, {"software_buckets", &objects_[2], MDB_INTEGERKEY}, {"counts", &counts_},
                            {"texts", &texts_}, {"text_numbers", &text_numbers_}, {"licences", &licences_}, {"statistics", &statistics_}, {"seen", &seen_}};
    for (const auto& table : tables)
      if (const int status = mdb_dbi_open(raw, table.name, table.flags | (create ? MDB_CREATE : 0u), table.is); status != MDB_SUCCESS)
        return status == MDB_NOTFOUND ? fail(Code::unavailable, cat("store ", folder_, ": holds no table \"", table.name, "\": not a store of KSN's")) : broken("open", status);
    PICKET_TRY(commit(std::move(txn)));
    std::string last;
    return each(seen_, [&](std::string_view key, std::string_view) {
      if (key.size() > 10 && key.substr(0, 10) != last) days_.emplace_back(last = key.substr(0, 10));
    });
  }

  Result<MDB_dbi> table_of(int kind) const {
    if (kind < 1 || kind > 3) return fail(Code::invalid, cat("kind ", std::to_string(kind), " is unknown"));
    return objects_[static_cast<std::size_t>(kind - 1)];
  }

  Result<Lease> lease() {
    std::unique_ptr<Reader> reader;
    {
      const std::lock_guard lock(mutex_);
      if (!readers_.empty()) reader = std::move(readers_.back()), readers_.pop_back();
    }
    if (reader) {
      if (const int status = mdb_txn_renew(reader->txn.get()); status != MDB_SUCCESS) return broken("read", status);
      return Lease(this, std::move(reader));
    }
    MDB_txn* txn = nullptr;
    if (const int status = mdb_txn_begin(env_.get(), nullptr, MDB_RDONLY, &txn); status != MDB_SUCCESS) return broken("read", status);
    reader = std::make_unique<Reader>();
    reader->txn.reset(txn);
    return Lease(this, std::move(reader));
  }

  Result<Cursor> cursor_of(MDB_txn* txn, MDB_dbi table) const {
    MDB_cursor* cursor = nullptr;
    if (const int status = mdb_cursor_open(txn, table, &cursor); status != MDB_SUCCESS) return broken("read", status);
    return Cursor(cursor);
  }

  template <class Use>
  Result<> each(MDB_dbi table, Use use) {
    PICKET_LET(reader, lease());
    PICKET_LET(cursor, cursor_of(reader->txn.get(), table));
    MDB_val key{}, value{};
    int status = mdb_cursor_get(cursor.get(), &key, &value, MDB_FIRST);
    for (; status == MDB_SUCCESS; status = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) use(view(key), view(value));
    if (status != MDB_NOTFOUND) return broken("read", status);
    return {};
  }

  Result<> append_object(Reader& reader, const buckets::Object& object, std::string& out, std::uint8_t& verdict) {
    verdict = object.verdict;
    const auto number = object.texts;
    std::string_view texts;
    if (number < reader.texts.size() && !reader.texts[number].empty()) {
      texts = reader.texts[number];
    } else if (number != 0) {
      const auto bytes = number_bytes(number);
      auto key = val({bytes.data(), 4});
      MDB_val found{};
      if (const int status = mdb_get(reader.txn.get(), texts_, &key, &found); status != MDB_SUCCESS) return broken("read the texts of an entry", status);
      texts = view(found);
      if (number < kTextCacheRows) {
        if (reader.texts.size() <= number) reader.texts.resize(std::max<std::size_t>(number + 1, reader.texts.size() * 2));
        reader.texts[number] = texts;
      }
    }
    append_facts(verdict, texts, object.popularity, object.first_seen, out);
    return {};
  }

  Result<std::uint64_t> count_of(MDB_txn* txn, int kind) const {
    const char name = static_cast<char>('0' + kind);
    auto key = val({&name, 1});
    MDB_val value{};
    const int status = mdb_get(txn, counts_, &key, &value);
    if (status != MDB_SUCCESS && status != MDB_NOTFOUND) return broken("read", status);
    return status == MDB_SUCCESS ? read_long(view(value)) : 0;
  }
  Result<> change_count(MDB_txn* txn, int kind, std::uint64_t by) {
    PICKET_LET(before, count_of(txn, kind));
    const char name = static_cast<char>('0' + kind);
    const auto bytes = number_bytes(before + by);
    return put_one(txn, counts_, {&name, 1}, {bytes.data(), bytes.size()});
  }

  Result<Txn> begin_write() {
    MDB_txn* txn = nullptr;
    if (const int status = mdb_txn_begin(env_.get(), nullptr, 0, &txn); status != MDB_SUCCESS) return broken("write", status);
    return Txn(txn);
  }
  Result<> commit(Txn txn) {
    if (const int status = mdb_txn_commit(txn.release()); status != MDB_SUCCESS) return broken("write", status);
    return {};
  }
  Result<> put_one(MDB_txn* txn, MDB_dbi table, std::string_view key_text, std::string_view value_text) {
    auto key = val(key_text), value = val(value_text);
    if (const int status = mdb_put(txn, table, &key, &value, 0); status != MDB_SUCCESS) return broken("write", status);
    return {};
  }

  Result<std::uint32_t> number_of_texts(MDB_txn* txn, const std::string& texts) {
    if (texts.empty()) return 0u;
    const auto digest = *from_hex(sha256_hex(texts).substr(0, 32));
    auto key = val(digest);
    MDB_val value{};
    if (mdb_get(txn, text_numbers_, &key, &value) == MDB_SUCCESS) return read_number(view(value));
    MDB_stat stat{};
    mdb_stat(txn, texts_, &stat);
    const auto number = static_cast<std::uint32_t>(stat.ms_entries + 1);
    const auto bytes = number_bytes(number);
    PICKET_TRY(put_one(txn, texts_, {bytes.data(), 4}, texts));
    PICKET_TRY(put_one(txn, text_numbers_, digest, {bytes.data(), 4}));
    return number;
  }

  Result<> put_some(int kind, MDB_dbi table, std::span<const Row> rows) {
    PICKET_LET(txn, begin_write());
    std::vector<buckets::Object> objects;
    objects.reserve(rows.size());
    const std::string* last_texts = nullptr;
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto& row = rows[i];
      if (i + 1 < rows.size() && rows[i + 1].digest == row.digest) continue;  // replaced at once
      if (!last_texts || *last_texts != row.facts_texts) {
        PICKET_LET(found, number_of_texts(txn.get(), row.facts_texts));
        number = found;
        last_texts = &row.facts_texts;
      }
      objects.push_back({row.digest, row.verdict, number, row.popularity, row.first_seen});
    }
    PICKET_LET(cursor, cursor_of(txn.get(), table));
    std::uint64_t added = 0;
    if (const int status = buckets::put(cursor.get(), objects, added); status != MDB_SUCCESS) return broken("write", status);
    cursor.reset();
    PICKET_TRY(change_count(txn.get(), kind, added));
    return commit(std::move(txn));
  }

  Result<> remember_day(MDB_txn* txn, const std::string& day) {
    if (std::find(days_.begin(), days_.end(), day) == days_.end()) {
      days_.push_back(day);
      PICKET_TRY(drop_sums_before(txn, day));
    }
    while (days_.size() > kDaysRemembered) {
      PICKET_LET(cursor, cursor_of(txn, seen_));
      auto key = val(days_.front());
      MDB_val value{};
      int status = mdb_cursor_get(cursor.get(), &key, &value, MDB_SET_RANGE);
      for (; status == MDB_SUCCESS && view(key).starts_with(days_.front()); status = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT))
        if (const int removed = mdb_cursor_del(cursor.get(), 0); removed != MDB_SUCCESS) return broken("write", removed);
      days_.erase(days_.begin());
    }
    return {};
  }

  Result<> drop_sums_before(MDB_txn* txn, const std::string& day) {
    const auto first = cat(std::to_string(std::strtol(day.c_str(), nullptr, 10) - kYearsOfSums), day.substr(4));
    PICKET_LET(cursor, cursor_of(txn, statistics_));
    MDB_val key{}, value{};
    int status = mdb_cursor_get(cursor.get(), &key, &value, MDB_FIRST);
    for (; status == MDB_SUCCESS && view(key) < first; status = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT))
      if (const int removed = mdb_cursor_del(cursor.get(), 0); removed != MDB_SUCCESS) return broken("write", removed);
    return {};
  }

  static Licence read_licence(std::string_view id, std::string_view value) {
    Licence out;
    out.id = id;
    out.blocked = !value.starts_with('k');
    if (value.size() >= 9) out.expires = static_cast<std::int64_t>(read_long(value.substr(1, 8))), out.holder = value.substr(9);
    return out;
  }

  std::string folder_, file_;
  ino_t inode_ = 0;
  dev_t device_ = 0;
  std::unique_ptr<MDB_env, CloseEnv> env_;
  std::array<MDB_dbi, 3> objects_{};
  MDB_dbi counts_ = 0, texts_ = 0, text_numbers_ = 0, licences_ = 0, statistics_ = 0, seen_ = 0;
  std::vector<std::string> days_;  // of which ids are remembered; only while a write transaction is open
  std::mutex mutex_;
  std::vector<std::unique_ptr<Reader>> readers_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_lmdb_store(const std::string& folder, bool create) { return LmdbStore::open(folder, create); }

}  // namespace picket::ksn_store
