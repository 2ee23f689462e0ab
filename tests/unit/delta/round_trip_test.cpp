// What is made is read back, for contents of every kind; and deltas are as small as they should be.
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "delta/make/make.hpp"
#include "unit/delta/contents.hpp"

namespace picket::delta {
namespace {

// Each method by itself, and the best of them.
std::size_t round_trip(const std::string& old, const std::string& fresh) {
  std::size_t least = SIZE_MAX;
  for (const auto method : {Method::zstd, Method::splice}) {
    auto made = make_with(method, old, fresh);
    EXPECT_TRUE(made) << made.error().message;
    if (!made) return 0;
    EXPECT_EQ(applied(old, *made, fresh.size()), fresh) << to_string(method);
    least = std::min(least, made->size());
  }
  auto best = make(old, fresh);
  EXPECT_TRUE(best);
  if (!best) return 0;
  EXPECT_EQ(best->bytes.size(), least);
  return least;
}

std::string lines(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::string> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(std::to_string(random() % 1'000'000) + ".example" + std::to_string(random() % 9) + ".com\n");
  std::sort(all.begin(), all.end());
  std::string out;
  for (const auto& line : all) out += line;
  return out;
}

TEST(Delta, of_nothing_and_of_the_same) {
  round_trip("", "");
  round_trip("", "something new");
  round_trip("something old", "");
  EXPECT_LT(round_trip(lines(5000, 1), lines(5000, 1)), 24u);
}

TEST(Delta, of_an_insertion_a_deletion_and_a_change_is_small) {
  const auto old = noise(50'000, 1);
  auto fresh = old;
  fresh.insert(30'000, "inserted");
  fresh.erase(10'000, 500);
  fresh[5] = static_cast<char>(fresh[5] + 1);
  EXPECT_LT(round_trip(old, fresh), 64u);
}

TEST(Delta, of_sorted_lines_costs_the_new_lines) {
  auto fresh = lines(20'000, 2);
  const auto old = fresh;
  fresh.insert(fresh.find('\n', 100'000) + 1, "500000.inserted.example.com\n");
  fresh.insert(fresh.find('\n', 200'000) + 1, "700000.another.example.org\n");
  EXPECT_LT(round_trip(old, fresh), 80u);
}

TEST(Delta, of_references_that_moved_costs_next_to_nothing) {
  // 20,000 offsets, of which those behind an insertion grow by 40: to bytes they all differ, to words it is one number.
  std::mt19937 random(3);
  std::string old, fresh;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t offset = random() % 1'000'000, moved = offset > 300'000 ? offset + 40 : offset;
    for (int shift = 0; shift < 32; shift += 8) {
      old += static_cast<char>(offset >> shift);
      fresh += static_cast<char>(moved >> shift);
    }
  }
  EXPECT_LT(round_trip(old, fresh), 4'000u);
}

TEST(Delta, of_sorted_digests_costs_little_more_than_the_new_ones) {
  std::vector<std::string> records;
  for (unsigned i = 0; i < 3000; ++i) records.push_back(noise(32, i + 10));
  auto join = [](std::vector<std::string> all) {
    std::sort(all.begin(), all.end());
    std::string out;
    for (const auto& each : all) out += each;
    return out;
  };
  const auto old = join(records);
  records.erase(records.begin() + 5, records.begin() + 15);
  for (unsigned i = 0; i < 30; ++i) records.push_back(noise(32, i + 90'000));
  EXPECT_LT(round_trip(old, join(records)), 30u * 32 + 200);
}

class RandomEdits : public testing::TestWithParam<unsigned> {};

TEST_P(RandomEdits, come_out_right) {
  std::mt19937 random(GetParam());
  auto old = GetParam() % 2 != 0 ? lines(300 + random() % 2000, GetParam()) : noise(1000 + random() % 40'000, GetParam());
  auto fresh = old;
  for (unsigned edits = random() % 60; edits > 0; --edits) {
    const auto at = random() % fresh.size();
    const auto size = std::min<std::size_t>(random() % 200, fresh.size() - at);
    switch (random() % 5) {
      case 0: fresh.insert(at, noise(size, random())); break;
      case 1: fresh.erase(at, std::min(size, fresh.size() - 1)); break;
      case 2: fresh[at] = static_cast<char>(random()); break;
      case 3: fresh.insert(random() % fresh.size(), fresh.substr(at, size * 4)); break;
      default: fresh = fresh.substr(at) + fresh.substr(0, at); break;
    }
  }
  round_trip(old, fresh);
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomEdits, testing::Range(1u, 25u));

TEST(Delta, is_handed_out_in_bounded_pieces) {
  const auto old = noise(3 << 20, 4);
  auto made = make_with(Method::splice, old, old + "end");
  ASSERT_TRUE(made);
  std::size_t most = 0;
  ASSERT_TRUE(apply(old, *made, {old.size() + 3}, [&](std::string_view bytes) {
    most = std::max(most, bytes.size());
    return Result<>{};
  }));
  EXPECT_LE(most, 1u << 20);
}

}  // namespace
}  // namespace picket::delta
