// The filter: never a digest of the list missed, few others taken for one.
#include "digests/format.hpp"
#include "digests/make/fuse_builder.hpp"
#include "unit/digests/digests_fixture.hpp"

namespace picket::digests {
namespace {

class LightDatabases : public DigestsTest {
 protected:
  std::shared_ptr<const Database> light(Collection& collection) {
    const auto written = collection.write_light(file("digests.light"));
    EXPECT_TRUE(written) << written.error().message;
    auto database = Database::open_set(folder_);
    EXPECT_TRUE(database) << database.error().message;
    EXPECT_EQ(written->bytes, std::filesystem::file_size(file("digests.light")));
    return *database;
  }
};

TEST_F(LightDatabases, miss_none_of_more_than_a_million_digests_and_take_less_than_one_in_240_others_for_one) {
  constexpr std::uint64_t count = 1'100'000;  // nine shards
  Collection collection;
  for (std::uint64_t i = 0; i < count; ++i) must(collection.add(digest_of(i), Verdict::untrusted, {}, {}));
  const auto database = light(collection);
  EXPECT_TRUE(database->is_light());
  EXPECT_EQ(database->counts().untrusted, count);
  EXPECT_LT(static_cast<double>(database->bytes()) * 8 / count, 9.4) << "bits a digest";
  std::uint64_t missed = 0, taken = 0;
  for (std::uint64_t i = 0; i < count; ++i) missed += !database->find(digest_of(i)).maybe;
  EXPECT_EQ(missed, 0u);
  for (std::uint64_t i = 0; i < count; ++i) taken += database->find(digest_of((std::uint64_t{1} << 40) + i)).maybe;
  EXPECT_LT(taken, count / 240);
  EXPECT_GT(taken, count / 272) << "too few to be true: is the measurement right?";
  EXPECT_EQ(database->find(digest_of(1)).verdict, Verdict::unknown);
}

TEST_F(LightDatabases, of_every_small_size_miss_none) {
  for (std::uint64_t count = 1; count <= 600; count += count < 40 ? 1 : 37) {
    Collection collection;
    for (std::uint64_t i = 0; i < count; ++i) must(collection.add(digest_of(i), Verdict::untrusted, {}, {}));
    const auto database = light(collection);
    for (std::uint64_t i = 0; i < count; ++i) ASSERT_TRUE(database->find(digest_of(i)).maybe) << i << " of " << count;
  }
}

TEST_F(LightDatabases, hold_what_is_abusable_and_leave_out_what_is_trusted) {
  Collection collection;
  for (std::uint64_t i = 0; i < 3000; ++i) must(collection.add(digest_of(i), i % 3 == 0 ? Verdict::trusted : i % 3 == 1 ? Verdict::abusable : Verdict::untrusted, {}, {}));
  const auto written = collection.write_light(file("digests.light"));
  ASSERT_TRUE(written);
  EXPECT_EQ(written->left_out, 1000u);
  EXPECT_EQ(written->counts.all(), 2000u);
  const auto database = *Database::open_set(folder_);
  std::uint64_t trusted_hits = 0;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const bool hit = database->find(digest_of(i)).maybe;
    ASSERT_TRUE(hit || i % 3 == 0) << i;
    trusted_hits += hit && i % 3 == 0;
  }
  EXPECT_LT(trusted_hits, 30u);
}

TEST_F(LightDatabases, of_nothing_hit_nothing) {
  Collection nothing, trusted;
  EXPECT_FALSE(light(nothing)->find(digest_of(1)).maybe);
  must(trusted.add(digest_of(1), Verdict::trusted, {}, {}));
  EXPECT_FALSE(light(trusted)->find(digest_of(1)).maybe);
}

TEST_F(LightDatabases, take_digests_that_share_their_first_bytes) {
  Collection collection;
  for (unsigned i = 0; i < 200; ++i) {
    auto digest = digest_of(i / 4);  // four with the same first 8 bytes
    digest[31] = static_cast<std::uint8_t>(i);
    must(collection.add(digest, Verdict::untrusted, {}, {}));
  }
  const auto database = light(collection);
  EXPECT_EQ(database->counts().untrusted, 200u);
  for (unsigned i = 0; i < 200; ++i) {
    auto digest = digest_of(i / 4);
    digest[31] = static_cast<std::uint8_t>(i);
    EXPECT_TRUE(database->find(digest).maybe);
  }
}

TEST_F(LightDatabases, take_digests_of_a_quarter_of_the_space) {
  Collection collection;  // as a list that was cut by its first byte is
  std::vector<Sha256> in;
  for (std::uint64_t i = 0; in.size() < 20'000; ++i)
    if (const auto digest = digest_of(i); digest[0] < 0x40) in.push_back(digest);
  for (const auto& digest : in) must(collection.add(digest, Verdict::untrusted, {}, {}));
  const auto database = light(collection);
  for (const auto& digest : in) ASSERT_TRUE(database->find(digest).maybe);
}

TEST(FuseBuilder, refuses_a_key_that_is_there_twice_and_no_keys) {
  std::vector<std::uint64_t> keys{1, 2, 3, 2};
  EXPECT_EQ(build_shard(keys, 0).error().code, Code::internal);
  EXPECT_EQ(build_shard({}, 0).error().code, Code::invalid);
}

TEST(FuseBuilder, gives_the_same_bytes_on_every_machine) {
  std::vector<std::uint64_t> keys;
  for (std::uint64_t i = 0; i < 1000; ++i) keys.push_back(format::prefix_of(digest_of(i).data()));
  const auto built = build_shard(keys, 3);
  ASSERT_TRUE(built);
  EXPECT_EQ(built->shape.segment_bits, 7u);
  std::uint64_t sum = 14695981039346656037ULL;  // FNV-1a
  for (const char c : built->fingerprints) sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  EXPECT_EQ(sum, 12504441522984882676u) << "a release made from the same list would differ from one made before";
}

}  // namespace
}  // namespace picket::digests
