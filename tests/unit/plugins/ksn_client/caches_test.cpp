#include <gmock/gmock.h>

#include <fcntl.h>

#include <random>

#include "cache.hpp"
#include "support/server_process.hpp"

namespace ksn_client {

namespace v1 = picket::ksn::v1;

namespace {

Key key_number(unsigned number, v1::ObjectKind kind = v1::OBJECT_FILE) {
  std::string digest(32, '\x33');
  for (int i = 0; i < 4; ++i) digest[static_cast<std::size_t>(i)] = static_cast<char>((number * 2654435761U) >> (8 * i));
  digest[31] = static_cast<char>(number);
  return key_of(kind, digest);
}
std::string value_number(unsigned number) { return "value " + std::to_string(number); }

constexpr std::int64_t kNow = 1'800'000'000;

TEST(KsnMemoryCache, keeps_what_is_fresh_and_used) {
  MemoryCache cache(64, 1 << 20, 7);
  cache.put(key_number(1), "one", kNow + 10);
  ASSERT_NE(cache.find(key_number(1), kNow), nullptr);
  EXPECT_EQ(*cache.find(key_number(1), kNow), "one");
  EXPECT_EQ(cache.find(key_number(1), kNow + 11), nullptr);
  EXPECT_EQ(cache.find(key_number(2), kNow), nullptr);
  cache.put(key_number(1), "other", kNow + 20);
  EXPECT_EQ(*cache.find(key_number(1), kNow + 11), "other");
  cache.clear();
  EXPECT_EQ(cache.find(key_number(1), kNow), nullptr);
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST(KsnMemoryCache, a_clock_that_was_set_back_gives_no_answer_more_time_than_any_may_have) {
  MemoryCache cache(64, 1 << 20, 7);
  cache.put(key_number(1), "one", kNow);
  EXPECT_NE(cache.find(key_number(1), kNow - picket::ksn::kMostFreshSeconds), nullptr);
  EXPECT_EQ(cache.find(key_number(1), kNow - picket::ksn::kMostFreshSeconds - 1), nullptr);
}

TEST(KsnMemoryCache, is_bounded_in_count_and_bytes_and_keeps_what_is_asked_for_often) {
  MemoryCache cache(1024, 8000, 7);
  for (unsigned i = 0; i < 50'000; ++i) {
    cache.put(key_number(i), std::string(20, 'v'), kNow + 10);
    EXPECT_LE(cache.bytes(), 8000U);
    (void)cache.find(key_number(0), kNow);
  }
  unsigned found = 0;
  for (unsigned i = 0; i < 50'000; ++i) found += cache.find(key_number(i), kNow) != nullptr;
  EXPECT_LE(found, 400U);
  EXPECT_GT(found, 100U);
  cache.put(key_number(1), std::string(5000, 'x'), kNow + 10);
  EXPECT_EQ(cache.find(key_number(1), kNow), nullptr) << "too large to be worth its place, and the old value is gone";
}

struct KsnDiskCache : testing::Test {
  picket::support::ServerFolder folder;
  std::string told;
  std::unique_ptr<DiskCache> open(std::size_t bytes = 1 << 16, const std::string& owner = std::string(32, 'o')) {
    auto cache = DiskCache::open(folder / "cache", bytes, owner, told);
    EXPECT_TRUE(cache) << cache.error().message;
    return cache ? std::move(*cache) : nullptr;
  }
};

TEST_F(KsnDiskCache, survives_a_restart) {
  auto cache = open();
  EXPECT_TRUE(cache->put(key_number(1), "one", kNow + 10));
  EXPECT_TRUE(cache->put(key_number(1, v1::OBJECT_ADDRESS), "address", kNow + 10));
  EXPECT_TRUE(cache->put(key_number(1).prefix(4), "list", kNow + 10));
  EXPECT_FALSE(cache->put(key_number(2), std::string(DiskCache::kMostValue + 1, 'x'), kNow + 10));
  cache.reset();
  cache = open();
  EXPECT_EQ(told, "");
  ASSERT_TRUE(cache->find(key_number(1), kNow));
  EXPECT_EQ(cache->find(key_number(1), kNow)->value, "one");
  EXPECT_EQ(cache->find(key_number(1, v1::OBJECT_ADDRESS), kNow)->value, "address");
  EXPECT_EQ(cache->find(key_number(1).prefix(4), kNow)->value, "list");
  EXPECT_FALSE(cache->find(key_number(1), kNow + 11)) << "expired";
  EXPECT_FALSE(cache->find(key_number(2), kNow));
}

TEST_F(KsnDiskCache, a_clock_that_was_set_back_gives_no_answer_more_time_than_any_may_have) {
  auto cache = open();
  ASSERT_TRUE(cache->put(key_number(1), "one", kNow));
  EXPECT_TRUE(cache->find(key_number(1), kNow - picket::ksn::kMostFreshSeconds));
  EXPECT_FALSE(cache->find(key_number(1), kNow - picket::ksn::kMostFreshSeconds - 1));
}

TEST_F(KsnDiskCache, what_is_too_long_takes_the_older_value_with_it) {
  auto cache = open();
  ASSERT_TRUE(cache->put(key_number(1), "one", kNow + 10));
  EXPECT_FALSE(cache->put(key_number(1), std::string(500, 'x'), kNow + 100));
  EXPECT_FALSE(cache->find(key_number(1), kNow));
}

TEST_F(KsnDiskCache, is_bounded_and_full_of_the_newest) {
  auto cache = open(64 * DiskCache::kSlotBytes);
  for (unsigned i = 0; i < 10'000; ++i) ASSERT_TRUE(cache->put(key_number(i), value_number(i), kNow + i));
  unsigned found = 0;
  for (unsigned i = 0; i < 10'000; ++i) {
    const auto value = cache->find(key_number(i), kNow);
    if (!value) continue;
    EXPECT_EQ(value->value, value_number(i));
    EXPECT_GT(i, 5000U) << "what expires first gives way";
    ++found;
  }
  EXPECT_EQ(cache->slots(), 64U);
  EXPECT_GT(found, 50U);
}

TEST_F(KsnDiskCache, one_process_at_a_time) {
  auto cache = open();
  std::string other;
  const auto second = DiskCache::open(folder / "cache", 1 << 16, std::string(32, 'o'), other);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, picket::Code::busy);
}

// A new version of the plugin stands by while the old one has the file.
TEST_F(KsnDiskCache, is_taken_when_the_one_before_lets_it_go) {
  auto before = open();
  unsigned tries = 0;
  Cache cache(100, nullptr, 1, [&] {
    ++tries;
    std::string ignored;
    return DiskCache::open(folder / "cache", 1 << 16, std::string(32, 'o'), ignored);
  });
  const auto began = std::chrono::steady_clock::now();
  cache.put(key_number(1), "one", kNow + 100);
  EXPECT_TRUE(cache.find(key_number(1), kNow, [](auto) {}));  // in memory meanwhile
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(cache.find(key_number(9), kNow, [](auto) {}));
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - began).count();
  EXPECT_LE(tries, 1 + seconds);  // each second, not at each question
  before->put(key_number(2), "two", kNow + 100);
  before.reset();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!cache.find(key_number(2), kNow, [](auto value) { EXPECT_EQ(value, "two"); })) ASSERT_LT(std::chrono::steady_clock::now(), until);
}

TEST_F(KsnDiskCache, another_size_owner_or_file_is_discarded_with_the_reason) {
  open()->put(key_number(1), "one", kNow + 10);
  EXPECT_FALSE(open(1 << 17)->find(key_number(1), kNow));
  EXPECT_THAT(told, testing::HasSubstr("size"));
  open(1 << 17)->put(key_number(1), "one", kNow + 10);
  EXPECT_FALSE(open(1 << 17, std::string(32, 'p'))->find(key_number(1), kNow));
  EXPECT_THAT(told, testing::HasSubstr("another provider"));
  for (const std::string& bytes : {std::string("x"), std::string(100'000, '\0'), std::string(5000, '\xff')}) {
    ASSERT_TRUE(picket::write_file_atomic(folder / "cache", bytes));
    auto cache = open();
    EXPECT_THAT(told, testing::HasSubstr("discarded"));
    EXPECT_TRUE(cache->put(key_number(2), "two", kNow + 10));
    EXPECT_TRUE(cache->find(key_number(2), kNow));
  }
}

// Every byte of a small file, and then its end: what is found is right or not there.
TEST_F(KsnDiskCache, damage_anywhere_never_gives_a_wrong_answer) {
  constexpr unsigned kKeys = 40;
  {
    auto cache = open(64 * DiskCache::kSlotBytes);
    for (unsigned i = 0; i < kKeys; ++i) ASSERT_TRUE(cache->put(key_number(i), value_number(i), kNow + 1000));
  }
  const auto good = picket::read_file(folder / "cache", 1 << 20);
  ASSERT_TRUE(good);
  const auto look = [&](const std::string& what) {
    auto cache = open(64 * DiskCache::kSlotBytes);
    ASSERT_TRUE(cache);
    for (unsigned i = 0; i < kKeys; ++i) {
      const auto value = cache->find(key_number(i), kNow);
      if (value) {
        ASSERT_EQ(value->value, value_number(i)) << what;
      }
    }
    ASSERT_TRUE(cache->put(key_number(99), "after", kNow + 5000));
    ASSERT_EQ(cache->find(key_number(99), kNow)->value, "after");
  };
  const auto path = folder / "cache";
  for (std::size_t at = 0; at < good->size(); at += at < 256 ? 1 : 3) {
    if (at > 200 && at < DiskCache::kHeaderBytes) continue;  // nothing is there
    auto bad = *good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    const picket::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_TRUNC));
    ASSERT_TRUE(picket::write_all(fd.get(), bad));
    look("byte " + std::to_string(at));
    if (HasFatalFailure()) return;
  }
  for (std::size_t size = 0; size < good->size(); size += 997) {
    const picket::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_TRUNC));
    ASSERT_TRUE(picket::write_all(fd.get(), std::string_view(*good).substr(0, size)));
    look("size " + std::to_string(size));
    if (HasFatalFailure()) return;
  }
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    auto bad = *good;
    const std::size_t from = DiskCache::kHeaderBytes + random() % (good->size() - DiskCache::kHeaderBytes - 600);
    for (std::size_t i = 0; i < 600; ++i) bad[from + i] = static_cast<char>(random());
    const picket::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_TRUNC));
    ASSERT_TRUE(picket::write_all(fd.get(), bad));
    look("round " + std::to_string(round));
    if (HasFatalFailure()) return;
  }
}

TEST_F(KsnDiskCache, memory_comes_before_disk_and_disk_fills_memory) {
  Cache cache(64, open(), 1);
  cache.put(key_number(1), "one", kNow + 10);
  std::string found;
  EXPECT_TRUE(cache.find(key_number(1), kNow, [&](std::string_view value) { found = value; }));
  EXPECT_EQ(found, "one");
  EXPECT_FALSE(cache.find(key_number(2), kNow, [](std::string_view) {}));
  cache.clear();
  EXPECT_FALSE(cache.find(key_number(1), kNow, [](std::string_view) {}));
}

}  // namespace
}  // namespace ksn_client
