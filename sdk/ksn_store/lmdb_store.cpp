// Objects: a database of buckets for each kind; counts: how many, by kind. Texts: by number, as facts need them; text_numbers: by the first 16 bytes of
// their SHA-256. Licences, and the statistics: small databases.
#include <algorithm>
#include <array>
#include <mutex>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "ksn/limits.hpp"
#include "ksn_store/buckets.hpp"
#include "ksn_store/lmdb_environment.hpp"
#include "ksn_store/lmdb_statistics.hpp"
#include "ksn_store/store.hpp"

namespace picket::ksn_store {
namespace {

using lmdb::bytes_of;
using lmdb::number_of;
using lmdb::val;
using lmdb::view;

constexpr std::size_t kTextCacheRows = 1u << 20, kRowsOfOneTransaction = 200'000;

class LmdbStore final : public Store {
 public:
  static Result<std::unique_ptr<Store>> open(const std::string& folder, bool create) {
    auto out = std::make_unique<LmdbStore>();
    PICKET_TRY(out->env_.open(folder, create));
    PICKET_TRY(out->open_tables(create));
    return out;
  }

  Result<> look_up(int kind, std::string_view digests, Batch& out) override {
    PICKET_LET(table, table_of(kind));
    PICKET_LET(reader, lease());
    PICKET_LET(cursor, env_.cursor_of(reader->txn.get(), table));
    auto& found = reader->found;
    found.clear();
    PICKET_TRY(env_.did("read", buckets::find(cursor.get(), digests, found)));
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
    PICKET_LET(cursor, env_.cursor_of(reader->txn.get(), table));
    auto& found = reader->found;
    found.clear();
    PICKET_TRY(env_.did("read", buckets::under(cursor.get(), prefix, most, found)));
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
    PICKET_LET(txn, env_.begin(0, "write"));
    PICKET_LET(cursor, env_.cursor_of(txn.get(), table));
    std::uint64_t removed = 0;
    for (const auto& digest : digests) {
      bool was = false;
      PICKET_TRY(env_.did("write", buckets::remove(cursor.get(), digest, was)));
      removed += was;
    }
    cursor.reset();
    PICKET_TRY(change_count(txn.get(), kind, ~removed + 1));
    PICKET_TRY(env_.commit(std::move(txn)));
    return removed;
  }

  Result<std::optional<Licence>> licence(std::string_view id) override {
    if (id.empty() || id.size() > ksn::kMostTextBytes) return std::nullopt;
    PICKET_LET(reader, lease());
    auto key = val(id);
    MDB_val value{};
    const int status = mdb_get(reader->txn.get(), licences_, &key, &value);
    if (status == MDB_NOTFOUND) return std::nullopt;
    if (status != MDB_SUCCESS) return env_.broken("read", status);
    return read_licence(id, view(value));
  }

  Result<std::vector<Licence>> licences() override {
    std::vector<Licence> out;
    PICKET_LET(reader, lease());
    PICKET_TRY(env_.each(reader->txn.get(), licences_, [&](std::string_view key, std::string_view value) { out.push_back(read_licence(key, value)); }));
    return out;
  }

  Result<> put_licence(const Licence& licence) override {
    PICKET_LET(txn, env_.begin(0, "write"));
    PICKET_TRY(env_.put(txn.get(), licences_, licence.id, cat(licence.blocked ? "b" : "k", bytes_of(licence.expires), licence.holder)));
    return env_.commit(std::move(txn));
  }

  Result<bool> count(const Counted& counted) override { return statistics_.count(counted); }

  Result<std::map<std::string, std::map<std::string, std::uint64_t>>> counted() override {
    PICKET_LET(reader, lease());
    return statistics_.counted(reader->txn.get());
  }

  Result<std::optional<std::uint64_t>> objects(int kind) override {
    PICKET_TRY(table_of(kind));
    PICKET_LET(reader, lease());
    PICKET_LET(count, count_of(reader->txn.get(), kind));
    return count;
  }

  Result<> check() override { return env_.check(); }
  std::string name() const override { return cat("LMDB ", env_.folder()); }

 private:
  struct Reader {
    lmdb::Txn txn;
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

  Result<> open_tables(bool create) {
    PICKET_LET(txn, env_.begin(create ? 0u : MDB_RDONLY, "open"));
    if (MDB_dbi former = 0; mdb_dbi_open(txn.get(), "files", 0, &former) == MDB_SUCCESS)
      return env_.unavailable("an earlier version made it: make a new one, and import the lists and licences again");
    const unsigned flags = create ? MDB_CREATE : 0;
    PICKET_TRY(env_.open_table(txn.get(), "file_buckets", MDB_INTEGERKEY | flags, objects_[0]));
    PICKET_TRY(env_.open_table(txn.get(), "address_buckets", MDB_INTEGERKEY | flags, objects_[1]));
    PICKET_TRY(env_.open_table(txn.get(), "software_buckets", MDB_INTEGERKEY | flags, objects_[2]));
    PICKET_TRY(env_.open_table(txn.get(), "counts", flags, counts_));
    PICKET_TRY(env_.open_table(txn.get(), "texts", flags, texts_));
    PICKET_TRY(env_.open_table(txn.get(), "text_numbers", flags, text_numbers_));
    PICKET_TRY(env_.open_table(txn.get(), "licences", flags, licences_));
    PICKET_TRY(statistics_.open(txn.get(), flags));
    return env_.commit(std::move(txn));
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
      PICKET_TRY(env_.did("read", mdb_txn_renew(reader->txn.get())));
      return Lease(this, std::move(reader));
    }
    PICKET_LET(txn, env_.begin(MDB_RDONLY, "read"));
    reader = std::make_unique<Reader>();
    reader->txn = std::move(txn);
    return Lease(this, std::move(reader));
  }

  Result<> append_object(Reader& reader, const buckets::Object& object, std::string& out, std::uint8_t& verdict) {
    verdict = object.verdict;
    const auto number = object.texts;
    std::string_view texts;
    if (number < reader.texts.size() && !reader.texts[number].empty()) {
      texts = reader.texts[number];
    } else if (number != 0) {
      auto key = val(bytes_of(number));
      MDB_val found{};
      PICKET_TRY(env_.did("read the texts of an entry", mdb_get(reader.txn.get(), texts_, &key, &found)));
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
    if (status != MDB_SUCCESS && status != MDB_NOTFOUND) return env_.broken("read", status);
    return status == MDB_SUCCESS ? number_of<std::uint64_t>(view(value)) : 0;
  }
  Result<> change_count(MDB_txn* txn, int kind, std::uint64_t by) {
    PICKET_LET(before, count_of(txn, kind));
    const char name = static_cast<char>('0' + kind);
    return env_.put(txn, counts_, {&name, 1}, bytes_of(before + by));
  }

  Result<std::uint32_t> number_of_texts(MDB_txn* txn, const std::string& texts) {
    if (texts.empty()) return 0u;
    const auto digest = *from_hex(sha256_hex(texts).substr(0, 32));
    auto key = val(digest);
    MDB_val value{};
    if (mdb_get(txn, text_numbers_, &key, &value) == MDB_SUCCESS) return number_of<std::uint32_t>(view(value));
    MDB_stat stat{};
    mdb_stat(txn, texts_, &stat);
    const auto number = static_cast<std::uint32_t>(stat.ms_entries + 1);
    PICKET_TRY(env_.put(txn, texts_, bytes_of(number), texts));
    PICKET_TRY(env_.put(txn, text_numbers_, digest, bytes_of(number)));
    return number;
  }

  Result<> put_some(int kind, MDB_dbi table, std::span<const Row> rows) {
    PICKET_LET(txn, env_.begin(0, "write"));
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
    PICKET_LET(cursor, env_.cursor_of(txn.get(), table));
    std::uint64_t added = 0;
    PICKET_TRY(env_.did("write", buckets::put(cursor.get(), objects, added)));
    cursor.reset();
    PICKET_TRY(change_count(txn.get(), kind, added));
    return env_.commit(std::move(txn));
  }

  static Licence read_licence(std::string_view id, std::string_view value) {
    Licence out;
    out.id = id;
    out.blocked = !value.starts_with('k');
    if (value.size() >= 9) out.expires = number_of<std::int64_t>(value.substr(1)), out.holder = value.substr(9);
    return out;
  }

  lmdb::Environment env_;
  std::array<MDB_dbi, 3> objects_{};
  MDB_dbi counts_ = 0, texts_ = 0, text_numbers_ = 0, licences_ = 0;
  lmdb::Statistics statistics_{env_};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Reader>> readers_;
};

}  // namespace

Result<std::unique_ptr<Store>> open_lmdb_store(const std::string& folder, bool create) { return LmdbStore::open(folder, create); }

}  // namespace picket::ksn_store
