#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include <lmdb.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ksn_store/store.hpp"
#include "picket/ksn/v1/reputation.pb.h"
#include "support/small_disk.hpp"
#include "support/temporary_folder.hpp"

namespace picket::ksn_store {
namespace {

namespace fs = std::filesystem;
using ksn::v1::OBJECT_ADDRESS;
using ksn::v1::OBJECT_FILE;

class LmdbStore : public testing::Test {
 protected:
  std::unique_ptr<Store> open(bool create = true) {
    auto store = open_store(folder_ + "/store", create);
    EXPECT_TRUE(store) << (store ? "" : store.error().message);
    return store ? std::move(*store) : nullptr;
  }
  static std::string digest(std::uint64_t n) {
    std::mt19937_64 random(n);
    std::string out;
    for (int i = 0; i < 32; ++i) out += static_cast<char>(random());
    return out;
  }
  static Row row(std::uint64_t n, int verdict, const std::string& threat = "Test") { return row_of(digest(n), {verdict, "malware", threat, {}, {}, n, 0, {}}); }
  static ksn::v1::Facts facts(std::string_view bytes) {
    ksn::v1::Facts out;
    EXPECT_TRUE(out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    return out;
  }

  const support::TemporaryFolder temporary_;
  const std::string folder_ = temporary_.path();
};

TEST_F(LmdbStore, finds_what_was_put_by_digest_and_kind) {
  auto store = open();
  std::vector<Row> rows;
  for (std::uint64_t i = 0; i < 5000; ++i) rows.push_back(row(i, 1 + static_cast<int>(i % 3), "Threat " + std::to_string(i % 7)));
  ASSERT_TRUE(store->put(OBJECT_FILE, rows));
  Batch batch;
  ASSERT_TRUE(store->look_up(OBJECT_FILE, digest(1) + digest(99'999) + digest(4999), batch));
  ASSERT_EQ(batch.of.size(), 3u);
  EXPECT_EQ(facts(batch.facts(0)).threat(), "Threat 1");
  EXPECT_EQ(facts(batch.facts(0)).popularity(), 1u);
  EXPECT_EQ(batch.of[0].verdict, 2);
  EXPECT_EQ(batch.of[1].size, 0u);
  EXPECT_EQ(facts(batch.facts(2)).verdict(), ksn::v1::VERDICT_ABUSABLE);
  batch.clear();
  ASSERT_TRUE(store->look_up(OBJECT_ADDRESS, digest(1), batch));
  EXPECT_EQ(batch.of[0].size, 0u);
  EXPECT_EQ(store->objects(OBJECT_FILE).value(), 5000u);
  EXPECT_EQ(store->look_up(9, digest(1), batch).error().code, Code::invalid);
}

TEST_F(LmdbStore, a_full_disk_is_told_and_loses_nothing) {
  const fs::path small = folder_ + "/small", filler = small / "filler", locks = small / "store/lock.mdb";
  const auto disk = support::SmallDisk::mount(small, 1u << 20);
  if (!disk) GTEST_SKIP() << disk.error().message;
  const auto where = (small / "store").native();
  std::vector<Row> first{row(1, 3)}, many;
  for (std::uint64_t i = 0; i < 40'000; ++i) many.push_back(row(100 + i, 3));
  {
    auto store = open_store(where, true);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE((*store)->put(OBJECT_FILE, first));
    const auto put = (*store)->put(OBJECT_FILE, many);
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, Code::no_space);
    EXPECT_NE(put.error().message.find("write: No space left on device"), std::string::npos) << put.error().message;
  }
  // A copy of a store brings data.mdb only; and in a file that LMDB makes by itself the table of readers is a hole, of any length.
  for (const std::uintmax_t bytes : {200'000, 0, 1, 8192, 65664}) {
    fs::remove(locks);
    if (bytes != 0) {
      std::ofstream(locks).flush();
      fs::resize_file(locks, bytes);
    }
    support::SmallDisk::fill(filler);
    const auto full = open_store(where);
    ASSERT_FALSE(full);
    EXPECT_NE(full.error().message.find("lock.mdb: No space left on device"), std::string::npos) << full.error().message;
    EXPECT_EQ(fs::file_size(locks), bytes) << "what it was";
    fs::remove(filler);
  }
  {
    auto store = open_store(where);
    ASSERT_TRUE(store) << store.error().message;
    Batch batch;
    ASSERT_TRUE((*store)->look_up(OBJECT_FILE, digest(1) + digest(100), batch));
    EXPECT_NE(batch.of[0].size, 0u);
    EXPECT_EQ(batch.of[1].size, 0u);
  }
  support::SmallDisk::fill(filler);
  EXPECT_TRUE(open_store(where)) << "what is there needs no room";
}

// Another program has mapped the table of readers as long as it was.
TEST_F(LmdbStore, the_table_of_readers_keeps_its_length_while_it_is_used) {
  ASSERT_TRUE(open());
  const auto folder = folder_ + "/store";
  const fs::path locks = folder + "/lock.mdb";
  fs::remove(locks);
  int ready[2], end[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(end), 0);
  const auto child = ::fork();
  ASSERT_GE(child, 0);
  char byte = 0;
  if (child == 0) {
    ::close(end[1]);
    MDB_env* env = nullptr;
    if (mdb_env_create(&env) != 0 || mdb_env_open(env, folder.c_str(), 0, 0640) != 0 || ::write(ready[1], "r", 1) != 1) ::_exit(1);
    (void)!::read(end[0], &byte, 1);
    ::_exit(0);
  }
  ::close(ready[1]);
  ::close(end[0]);
  EXPECT_EQ(::read(ready[0], &byte, 1), 1) << "it opened it";
  const auto length = fs::file_size(locks);
  EXPECT_LT(length, 65'536u);
  {
    const auto store = open(false);
    EXPECT_EQ(fs::file_size(locks), length);
    struct stat info {};
    EXPECT_EQ(::stat(locks.c_str(), &info), 0);
    EXPECT_GE(static_cast<std::uintmax_t>(info.st_blocks) * 512, length) << "a hole";
  }
  ::close(end[1]);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ASSERT_TRUE(open(false));
  EXPECT_GT(fs::file_size(locks), 65'536u);
}

TEST_F(LmdbStore, replaces_removes_and_survives) {
  {
    auto store = open();
    std::vector<Row> rows{row(1, 3), row(2, 3), row(1, 1, "Other")};  // the same digest twice: the later one counts
    ASSERT_TRUE(store->put(OBJECT_FILE, rows));
    std::vector<Row> more{row(2, 2)};
    ASSERT_TRUE(store->put(OBJECT_FILE, more));
    const std::vector<std::string> gone{digest(7)};
    EXPECT_EQ(store->remove(OBJECT_FILE, gone).value(), 0u);
  }
  auto store = open(false);
  Batch batch;
  ASSERT_TRUE(store->look_up(OBJECT_FILE, digest(1) + digest(2), batch));
  EXPECT_EQ(batch.of[0].verdict, 1);
  EXPECT_EQ(facts(batch.facts(0)).threat(), "Other");
  EXPECT_EQ(batch.of[1].verdict, 2);
  const std::vector<std::string> gone{digest(1)};
  EXPECT_EQ(store->remove(OBJECT_FILE, gone).value(), 1u);
  batch.clear();
  ASSERT_TRUE(store->look_up(OBJECT_FILE, digest(1), batch));
  EXPECT_EQ(batch.of[0].size, 0u);
}

// Put, replaced and removed at random, beside a map that is told the same: buckets fill, split, empty and vanish on the way.
TEST_F(LmdbStore, agrees_with_a_map_whatever_is_put_and_removed) {
  auto store = open();
  std::mt19937_64 random(7);
  std::map<std::string, std::uint64_t> known;
  // Some digests share their first 8 bytes, some their first 31, and the greatest of all is among them.
  const auto some_digest = [&]() -> std::string {
    switch (random() % 8) {
      case 0: return "the same" + digest(random() % 700).substr(8);
      case 1: return std::string(31, '\xff') + static_cast<char>(random() % 256);
      case 2: return std::string(31, '\0') + static_cast<char>(random() % 256);
      default: return digest(random() % 3000);
    }
  };
  for (int round = 0; round < 60; ++round) {
    std::vector<Row> rows;
    for (std::uint64_t i = random() % 400; i > 0; --i) {
      auto key = some_digest();
      const auto number = random() >> (random() % 64);
      known[key] = number;
      rows.push_back(row_of(std::move(key), {1, {}, "T" + std::to_string(number % 9), {}, {}, number, static_cast<std::int64_t>(number >> 1), {}}));
    }
    ASSERT_TRUE(store->put(OBJECT_FILE, rows));
    std::vector<std::string> gone;
    std::uint64_t were = 0;
    for (std::uint64_t i = round % 5 == 4 ? 600 : random() % 100; i > 0; --i) were += known.erase(gone.emplace_back(some_digest()));
    ASSERT_EQ(store->remove(OBJECT_FILE, gone).value(), were);
    ASSERT_EQ(store->objects(OBJECT_FILE).value(), known.size());
  }
  const auto agree = [&] {
    std::string asked;
    std::vector<std::string> all;
    for (const auto& [key, number] : known) asked += all.emplace_back(key);
    for (int i = 0; i < 500; ++i) asked += all.emplace_back(some_digest());
    Batch batch;
    ASSERT_TRUE(store->look_up(OBJECT_FILE, asked, batch));
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto found = known.find(all[i]);
      ASSERT_EQ(batch.of[i].size != 0, found != known.end());
      if (found == known.end()) continue;
      const auto said = facts(batch.facts(i));
      ASSERT_EQ(said.popularity(), found->second);
      ASSERT_EQ(said.first_seen(), static_cast<std::int64_t>(found->second >> 1));
      ASSERT_EQ(said.threat(), "T" + std::to_string(found->second % 9));
    }
    for (const std::string prefix : {"the same", "the ", "the same!", "\xff\xff\xff\xff"}) {
      const auto listed = store->under(OBJECT_FILE, prefix, 1000);
      ASSERT_TRUE(listed) << listed.error().message;
      auto at = known.lower_bound(prefix);
      for (const auto& one : *listed) ASSERT_EQ(one.digest, at++->first);
      ASSERT_TRUE(at == known.end() || !at->first.starts_with(prefix));
    }
  };
  agree();
  store.reset();
  store = open(false);
  agree();
  std::vector<std::string> all;
  for (const auto& [key, number] : known) all.push_back(key);
  ASSERT_EQ(store->remove(OBJECT_FILE, all).value(), known.size());
  known.clear();
  agree();
  EXPECT_EQ(store->objects(OBJECT_FILE).value(), 0u);
}

TEST_F(LmdbStore, lists_what_lies_in_many_buckets) {
  auto store = open();
  std::vector<Row> rows;
  for (std::uint64_t i = 0; i < 1500; ++i) rows.push_back(row_of("abcd" + digest(i).substr(4), {3, {}, {}, {}, {}, i, 0, {}}));
  for (std::uint64_t i = 0; i < 500; ++i) rows.push_back(row(i, 1));
  ASSERT_TRUE(store->put(OBJECT_FILE, rows));
  const auto listed = store->under(OBJECT_FILE, "abcd", 1500);
  ASSERT_TRUE(listed) << listed.error().message;
  EXPECT_EQ(listed->size(), 1500u);
  EXPECT_TRUE(std::is_sorted(listed->begin(), listed->end(), [](const Under& a, const Under& b) { return a.digest < b.digest; }));
  EXPECT_EQ(store->under(OBJECT_FILE, "abcd", 1499).error().code, Code::too_large);
}

TEST_F(LmdbStore, of_an_earlier_version_is_not_read_as_one_of_this) {
  const auto folder = folder_ + "/earlier";
  fs::create_directories(folder);
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  MDB_dbi table = 0;
  ASSERT_EQ(mdb_env_create(&env), 0);
  mdb_env_set_maxdbs(env, 4);
  ASSERT_EQ(mdb_env_open(env, folder.c_str(), 0, 0640), 0);
  ASSERT_EQ(mdb_txn_begin(env, nullptr, 0, &txn), 0);
  ASSERT_EQ(mdb_dbi_open(txn, "files", MDB_CREATE, &table), 0);
  ASSERT_EQ(mdb_txn_commit(txn), 0);
  mdb_env_close(env);
  for (const bool create : {false, true}) {
    const auto opened = open_store(folder, create);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().message.find("an earlier version made it: make a new one"), std::string::npos) << opened.error().message;
  }
}

TEST_F(LmdbStore, lists_all_under_a_prefix_and_no_more) {
  auto store = open();
  std::vector<Row> rows;
  for (int i = 0; i < 20; ++i) rows.push_back(row_of("abcd" + std::string(27, 'x') + static_cast<char>('a' + i), {3, {}, {}, {}, {}, 0, 0, {}}));
  rows.push_back(row_of("abce" + std::string(28, 'x'), {1, {}, {}, {}, {}, 0, 0, {}}));
  rows.push_back(row_of(std::string(32, '\xff'), {2, {}, {}, {}, {}, 0, 0, {}}));
  ASSERT_TRUE(store->put(OBJECT_FILE, rows));
  const auto under = store->under(OBJECT_FILE, "abcd", 20);
  ASSERT_TRUE(under) << under.error().message;
  ASSERT_EQ(under->size(), 20u);
  for (const auto& one : *under) EXPECT_TRUE(one.digest.starts_with("abcd"));
  EXPECT_EQ(store->under(OBJECT_FILE, "abcd", 19).error().code, Code::too_large);
  EXPECT_EQ(store->under(OBJECT_FILE, "\xff\xff\xff\xff", 5)->size(), 1u);
  EXPECT_TRUE(store->under(OBJECT_FILE, "zzzz", 5)->empty());
}

TEST_F(LmdbStore, keeps_licences_and_daily_sums) {
  auto store = open();
  EXPECT_FALSE(store->licence("L-1").value());
  ASSERT_TRUE(store->put_licence({"L-1", false, 2'000'000'000, "Example"}));
  ASSERT_TRUE(store->put_licence({"L-2", true, 0, ""}));
  const auto one = store->licence("L-1").value().value();
  EXPECT_FALSE(one.blocked);
  EXPECT_EQ(one.expires, 2'000'000'000);
  EXPECT_EQ(one.holder, "Example");
  EXPECT_TRUE(store->licence("L-2").value()->blocked);
  EXPECT_EQ(store->licences()->size(), 2u);
  EXPECT_FALSE(store->licence("").value());
  EXPECT_FALSE(store->licence(std::string(1000, 'x')).value());

  EXPECT_TRUE(store->count({std::string(16, '1'), "2026-11-21", {{"scans", 5}, {"alarms", 1}}}).value());
  EXPECT_FALSE(store->count({std::string(16, '1'), "2026-11-22", {{"scans", 5}}}).value());  // came before, also when it was yesterday
  EXPECT_TRUE(store->count({std::string(16, '2'), "2026-11-21", {{"scans", 7}}}).value());
  EXPECT_TRUE(store->count({std::string(16, '3'), "2026-11-22", {{"scans", ~std::uint64_t{0}}}}).value());
  EXPECT_TRUE(store->count({std::string(16, '4'), "2026-11-22", {{"scans", 1}}}).value());  // no overflow back to 0
  auto sums = store->counted().value();
  EXPECT_EQ(sums["2026-11-21"]["scans"], 12u);
  EXPECT_EQ(sums["2026-11-21"]["alarms"], 1u);
  EXPECT_EQ(sums["2026-11-22"]["scans"], ~std::uint64_t{0});
  for (int day = 1; day <= 20; ++day) ASSERT_TRUE(store->count({std::string(16, '5'), "2027-01-" + std::to_string(day + 9), {}}).value() || day > 1);
}

TEST_F(LmdbStore, forgets_sums_of_two_years_ago) {
  auto store = open();
  for (const char* day : {"2024-11-20", "2024-11-21", "2026-11-20", "2026-11-21"}) ASSERT_TRUE(store->count({cat("simple", day), day, {{"files", 1}}}).value());
  auto sums = store->counted().value();
  EXPECT_FALSE(sums.contains("2024-11-20"));
  EXPECT_EQ(sums.size(), 3u);
}

TEST_F(LmdbStore, is_read_while_it_is_written) {
  auto store = open();
  std::vector<Row> first{row(0, 3)};
  ASSERT_TRUE(store->put(OBJECT_FILE, first));
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t i = 1; i < 60; ++i) {
      std::vector<Row> rows{row(i, 3, "T" + std::to_string(i)), row(i + 1000, 1)};
      EXPECT_TRUE(store->put(OBJECT_FILE, rows));
    }
    done = true;
  });
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r)
    readers.emplace_back([&] {
      while (!done) {
        Batch batch;
        ASSERT_TRUE(store->look_up(OBJECT_FILE, digest(0) + digest(59), batch));
        EXPECT_EQ(batch.of[0].verdict, 3);
        EXPECT_TRUE(batch.of[1].size == 0 || facts(batch.facts(1)).threat() == "T59");
      }
    });
  writer.join();
  for (auto& reader : readers) reader.join();
}

TEST_F(LmdbStore, missing_foreign_cut_or_exchanged_is_said) {
  EXPECT_EQ(open_store(folder_ + "/none").error().code, Code::unavailable);
  EXPECT_NE(open_store(folder_ + "/none").error().message.find("there is none: picket-ksn init makes it"), std::string::npos);
  fs::create_directories(folder_ + "/foreign");
  std::ofstream(folder_ + "/foreign/data.mdb") << std::string(8192, 'x');
  EXPECT_EQ(open_store(folder_ + "/foreign").error().code, Code::unavailable);

  auto store = open();
  std::vector<Row> rows;
  for (std::uint64_t i = 0; i < 3000; ++i) rows.push_back(row(i, 3));
  ASSERT_TRUE(store->put(OBJECT_FILE, rows));
  ASSERT_TRUE(store->check());
  const fs::path file = folder_ + "/store/data.mdb";
  const auto size = fs::file_size(file);
  fs::copy_file(file, folder_ + "/copy");
  fs::resize_file(file, size / 2);
  EXPECT_NE(store->check().error().message.find("shorter than its content"), std::string::npos);
  fs::rename(folder_ + "/copy", file);
  EXPECT_NE(store->check().error().message.find("was exchanged"), std::string::npos);
  fs::remove(file);
  EXPECT_NE(store->check().error().message.find("is missing"), std::string::npos);
  store.reset();
  fs::resize_file(folder_ + "/foreign/data.mdb", 0);
  EXPECT_FALSE(open_store(folder_ + "/foreign"));
}

}  // namespace
}  // namespace picket::ksn_store
