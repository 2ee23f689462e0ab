#include "cache.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <list>
#include <random>
#include <unordered_map>

#include "fake_ksn.hpp"
#include "ksn/limits.hpp"

using namespace ksn_proxy;
using picket::ksn_proxy_tests::digest_of;

namespace {

constexpr std::int64_t kNow = 1000;

class CacheTest : public ::testing::Test {
 protected:
  EntryRef entry(std::uint64_t number, std::int64_t fresh_until = kNow + 100, std::size_t bytes = 100) {
    const Key key(1, digest_of(number));
    return make_entry(key, hasher_(key), std::string(bytes, 's'), 0, 1, std::string(64, 'g'), fresh_until);
  }
  bool has(Cache& cache, std::uint64_t number, std::int64_t now = kNow) {
    const Key key(1, digest_of(number));
    return cache.find(key, hasher_(key), now) != nullptr;
  }
  Hasher hasher_;
};

TEST_F(CacheTest, keeps_an_answer_for_its_time_and_no_longer) {
  Cache cache(1u << 20);
  cache.insert(entry(1, kNow + 10).get(), kNow);
  cache.insert(entry(2, kNow).get(), kNow);  // never fresh
  EXPECT_TRUE(has(cache, 1));
  EXPECT_FALSE(has(cache, 2));
  EXPECT_TRUE(has(cache, 1, kNow + 9));
  EXPECT_FALSE(has(cache, 1, kNow + 10));
  EXPECT_EQ(cache.counters().entries, 0u);
  EXPECT_EQ(cache.counters().bytes, 0u);
}

TEST_F(CacheTest, a_clock_that_was_set_back_gives_no_answer_more_time_than_any_may_have) {
  Cache cache(1u << 20);
  cache.insert(entry(1, kNow + 10).get(), kNow);
  EXPECT_TRUE(has(cache, 1, kNow + 10 - picket::ksn::kMostFreshSeconds));
  EXPECT_FALSE(has(cache, 1, kNow + 10 - picket::ksn::kMostFreshSeconds - 1));
}

TEST_F(CacheTest, finds_a_batch_as_it_finds_one_after_the_other) {
  Cache cache(1u << 20);
  cache.insert(entry(1).get(), kNow);
  cache.insert(entry(2, kNow + 10).get(), kNow);
  std::vector<Key> keys;
  std::vector<std::uint64_t> hashes;
  for (const std::uint64_t number : {2u, 1u, 3u, 1u, 2u}) {
    keys.emplace_back(std::uint8_t{1}, digest_of(number));
    hashes.push_back(hasher_(keys.back()));
  }
  const auto found = cache.find(keys, hashes, kNow + 10);
  ASSERT_EQ(found.size(), keys.size());
  ASSERT_NE(found[1], nullptr);
  EXPECT_EQ(found[1]->key, keys[1]);
  EXPECT_EQ(found, (std::vector<Entry*>{nullptr, found[1], nullptr, found[1], nullptr})) << "1 is fresh, 2 was, 3 is not there";
  EXPECT_EQ(cache.counters().entries, 1u);
  EXPECT_TRUE(cache.find(std::vector<Key>(), {}, kNow).empty());
}

TEST_F(CacheTest, a_newer_answer_takes_the_place_of_an_older_one) {
  Cache cache(1u << 20);
  cache.insert(entry(1, kNow + 10).get(), kNow);
  cache.insert(entry(1, kNow + 50).get(), kNow);
  EXPECT_EQ(cache.counters().entries, 1u);
  EXPECT_TRUE(has(cache, 1, kNow + 40));
}

// Else each time to live that ends would make a stranger of what everybody asks for.
TEST_F(CacheTest, knows_what_was_asked_for_often_when_its_answer_comes_anew) {
  const auto flood = [&](Cache& cache, std::int64_t now) {
    for (std::uint64_t number = 1000; number < 1500; ++number) {
      for (int i = 0; i < 3; ++i) (void)has(cache, number, now);
      cache.insert(entry(number, now + 100).get(), now);
    }
    EXPECT_GT(cache.counters().not_admitted, 0u);
  };
  const auto ask_often = [&](Cache& cache) {
    cache.insert(entry(1, kNow + 100).get(), kNow);
    for (int i = 0; i < 12; ++i) EXPECT_TRUE(has(cache, 1));
  };
  Cache expired(100'000), renewed(100'000), unasked(100'000);
  ask_often(expired);
  EXPECT_FALSE(has(expired, 1, kNow + 100));
  expired.insert(entry(1, kNow + 200).get(), kNow + 100);
  flood(expired, kNow + 100);
  EXPECT_TRUE(has(expired, 1, kNow + 100));
  ask_often(renewed);
  renewed.insert(entry(1, kNow + 200).get(), kNow);
  flood(renewed, kNow);
  EXPECT_TRUE(has(renewed, 1));
  unasked.insert(entry(1, kNow + 100).get(), kNow);
  flood(unasked, kNow);
  EXPECT_FALSE(has(unasked, 1));
}

TEST_F(CacheTest, tells_a_prefix_from_the_digest_and_a_file_from_an_address) {
  Cache cache(1u << 20);
  const Key file(1, digest_of(1)), address(2, digest_of(1)), prefix(1, digest_of(1).substr(0, 31));
  cache.insert(make_entry(file, hasher_(file), "s", 0, 1, "g", kNow + 10).get(), kNow);
  EXPECT_NE(cache.find(file, hasher_(file), kNow), nullptr);
  EXPECT_EQ(cache.find(address, hasher_(address), kNow), nullptr);
  EXPECT_EQ(cache.find(prefix, hasher_(prefix), kNow), nullptr);
}

TEST_F(CacheTest, never_holds_more_bytes_than_it_may_and_frees_all_of_them) {
  constexpr std::size_t most = 200'000;
  Cache cache(most);
  std::mt19937_64 random(1);
  EntryRef keeps;  // an answer on its way out lives on
  for (int i = 0; i < 20'000; ++i) {
    const Key key(1, digest_of(random() % 5000));
    auto made = make_entry(key, hasher_(key), std::string(random() % 2000, 's'), 1, 1, std::string(64, 'g'), kNow + 100);
    cache.insert(made.get(), kNow);
    if (i % 10 == 0) keeps = std::move(made);
    ASSERT_LE(cache.counters().bytes, most) << i;
    if (i % 3 == 0) (void)has(cache, random() % 5000);
  }
  EXPECT_GT(cache.counters().entries, 50u);
  EXPECT_GT(cache.counters().bytes, most / 2);
  cache.clear();
  EXPECT_EQ(cache.counters().bytes, 0u);
}

TEST_F(CacheTest, does_not_take_what_would_fill_it) {
  Cache cache(100'000);
  cache.insert(entry(1, kNow + 10, 90'000).get(), kNow);
  EXPECT_FALSE(has(cache, 1));
}

TEST_F(CacheTest, finds_all_of_a_hundred_thousand) {
  Cache cache(256u << 20);
  for (std::uint64_t i = 0; i < 100'000; ++i) cache.insert(entry(i).get(), kNow);
  for (std::uint64_t i = 0; i < 100'000; ++i) ASSERT_TRUE(has(cache, i)) << i;
  // A gap in the table must not hide what lies behind it.
  for (std::uint64_t i = 0; i < 100'000; i += 2) cache.insert(entry(i, kNow + 1).get(), kNow);
  for (std::uint64_t i = 0; i < 100'000; i += 2) ASSERT_FALSE(has(cache, i, kNow + 2));
  for (std::uint64_t i = 1; i < 100'000; i += 2) ASSERT_TRUE(has(cache, i, kNow + 2)) << i;
}

class Lru {
 public:
  explicit Lru(std::size_t most) : most_(most) {}
  bool use(std::uint64_t key) {
    if (const auto found = where_.find(key); found != where_.end()) {
      order_.splice(order_.begin(), order_, found->second);
      return true;
    }
    order_.push_front(key);
    where_[key] = order_.begin();
    if (order_.size() > most_) where_.erase(order_.back()), order_.pop_back();
    return false;
  }

 private:
  std::size_t most_;
  std::list<std::uint64_t> order_;
  std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> where_;
};

class Zipf {
 public:
  Zipf(std::size_t count, double exponent) : sums_(count) {
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) sums_[i] = sum += 1 / std::pow(static_cast<double>(i + 1), exponent);
  }
  template <class Random>
  std::uint64_t operator()(Random& random) const {
    const double at = std::uniform_real_distribution<>(0, sums_.back())(random);
    return static_cast<std::uint64_t>(std::lower_bound(sums_.begin(), sums_.end(), at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

// Shares of hits of ours and of an LRU with as many places, on the same trace.
template <class Next>
std::pair<double, double> hit_shares(const Hasher& hasher, std::size_t places, int uses, Next next) {
  const Key some(1, digest_of(0));
  const auto cost = [&] {
    return make_entry(some, hasher(some), std::string(100, 's'), 0, 1, std::string(64, 'g'), kNow + 100).get()->cost();
  }();
  Cache cache(places * cost);
  Lru lru(places);
  int ours = 0, theirs = 0;
  for (int i = 0; i < uses; ++i) {
    const std::uint64_t number = next(i);
    const Key key(1, digest_of(number));
    const auto hash = hasher(key);
    if (cache.find(key, hash, kNow) != nullptr) ++ours;
    else cache.insert(make_entry(key, hash, std::string(100, 's'), 0, 1, std::string(64, 'g'), kNow + 100).get(), kNow);
    theirs += lru.use(number) ? 1 : 0;
  }
  return {static_cast<double>(ours) / uses, static_cast<double>(theirs) / uses};
}

TEST_F(CacheTest, answers_more_of_a_zipf_trace_than_an_lru) {
  for (const double exponent : {0.8, 1.0}) {
    const Zipf zipf(100'000, exponent);
    std::mt19937_64 random(7);
    const auto [ours, lru] = hit_shares(hasher_, 2000, 200'000, [&](int) { return zipf(random); });
    std::printf("zipf %.1f: ours %.3f, LRU %.3f\n", exponent, ours, lru);
    EXPECT_GT(ours, lru + 0.05) << exponent;
  }
}

TEST_F(CacheTest, a_scan_of_what_is_asked_once_pushes_nothing_out) {
  const Zipf zipf(5'000, 1.0);
  std::mt19937_64 random(7);
  std::uint64_t fresh = 1'000'000;
  const auto [ours, lru] = hit_shares(hasher_, 1000, 300'000, [&](int i) { return i % 2 == 0 ? zipf(random) : fresh++; });
  std::printf("with a scan: ours %.3f, LRU %.3f\n", ours, lru);
  EXPECT_GT(ours, lru + 0.03);
}

TEST_F(CacheTest, follows_when_other_things_become_popular) {
  const Zipf zipf(20'000, 1.0);
  std::mt19937_64 random(7);
  const auto [ours, lru] = hit_shares(hasher_, 1000, 400'000, [&](int i) { return zipf(random) + static_cast<std::uint64_t>(i / 50'000) * 5'000; });
  std::printf("with a shift: ours %.3f, LRU %.3f\n", ours, lru);
  EXPECT_GT(ours, lru);
}

}  // namespace
