// Damaged files: refused in words, or harmless; never a byte read outside of them (the dev build's sanitizers watch).
#include <gmock/gmock.h>

#include "unit/digests/digests_fixture.hpp"

namespace picket::digests {
namespace {

using ::testing::HasSubstr;

class DamagedDatabases : public DigestsTest {
 protected:
  void SetUp() override {
    DigestsTest::SetUp();
    Collection collection;
    for (std::uint64_t i = 0; i < 300; ++i) must(collection.add(digest_of(i), i % 4 == 0 ? Verdict::trusted : Verdict::untrusted, "kind", std::to_string(i % 9)));
    ASSERT_TRUE(collection.write_full(file("a.full")));
    ASSERT_TRUE(collection.write_light(file("a.light")));
    full_ = read("a.full");
    light_ = read("a.light");
  }
  // Opens a copy of exactly that size, and asks it when it opens.
  static bool survives(std::string_view bytes) {
    const std::vector<char> exact(bytes.begin(), bytes.end());
    const auto database = Database::of_bytes({exact.data(), exact.size()});
    if (!database) {
      EXPECT_NE(database.error().message, "");
      return false;
    }
    for (std::uint64_t i = 0; i < 400; ++i) {
      const auto known = (*database)->find(digest_of(i));
      EXPECT_LE(known.name.size(), 300u);
    }
    (void)(*database)->check();
    return true;
  }
  static std::string why(const std::string& bytes) {
    const auto database = Database::of_bytes(bytes);
    return database ? "opened" : database.error().message;
  }
  static std::string with(std::string bytes, std::size_t at, std::uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
    return bytes;
  }
  std::string full_, light_;
};

TEST_F(DamagedDatabases, are_survived_whatever_byte_is_wrong) {
  ASSERT_TRUE(survives(full_));
  ASSERT_TRUE(survives(light_));
  for (const auto* good : {&full_, &light_})
    for (std::size_t at = 0; at < good->size(); at += at < 700 ? 1 : 13)
      for (const int change : {0x01, 0x80, 0xFF}) {
        auto bytes = *good;
        bytes[at] = static_cast<char>(bytes[at] ^ change);
        survives(bytes);
      }
}

TEST_F(DamagedDatabases, are_refused_wherever_they_are_cut_off_or_grown) {
  for (const auto* good : {&full_, &light_}) {
    for (std::size_t size = 0; size < good->size(); size += size < 200 ? 1 : 11) EXPECT_FALSE(survives(good->substr(0, size))) << size;
    EXPECT_FALSE(survives(*good + "x"));
  }
}

TEST_F(DamagedDatabases, say_what_is_wrong) {
  EXPECT_EQ(why("rubbish"), "is no digest database");
  EXPECT_THAT(why(full_.substr(0, 20)), HasSubstr("its header is cut off"));
  EXPECT_THAT(why(with(full_, 8, 2, 4)), HasSubstr("has version 2, which this agent does not know"));
  EXPECT_THAT(why(with(light_, 8, 9, 4)), HasSubstr("has version 9"));
  EXPECT_THAT(why(with(full_, 16, std::uint64_t{1} << 40, 8)), HasSubstr("its number of digests is impossible"));
  EXPECT_THAT(why(with(full_, 24, 1, 8)), HasSubstr("its counts of verdicts do not add up"));
  EXPECT_THAT(why(with(full_, 24, ~std::uint64_t{0}, 8)), HasSubstr("its counts of verdicts do not add up"));
  EXPECT_THAT(why(with(full_, 12, 60, 4)), HasSubstr("its index is too large"));
  EXPECT_THAT(why(with(full_, 48, 0, 4)), HasSubstr("its number of entries is impossible"));
  EXPECT_THAT(why(with(full_, 52, 3, 4)), HasSubstr("the size of its references is impossible"));
  EXPECT_THAT(why(with(full_, 52, 0, 4)), HasSubstr("no references to them"));
  EXPECT_THAT(why(with(full_, 56, ~std::uint64_t{0}, 8)), HasSubstr("not what its header says"));
  EXPECT_THAT(why(with(full_, 64, 1, 4)), HasSubstr("its index does not ascend"));
  EXPECT_THAT(why(with(full_, 64 + 4 * 4, 299, 4)), HasSubstr("its index does not end"));  // 2^2 buckets
  const std::size_t digests = 64 + 4 * 5, references = digests + 300 * 32, entries = references + 300;
  EXPECT_THAT(why(with(full_, digests, ~std::uint64_t{0}, 8)), HasSubstr("is not where its index says"));
  EXPECT_THAT(why(with(full_, references, 18, 1)), HasSubstr("refers to an entry that is not there"));
  EXPECT_THAT(why(with(full_, entries, 9, 1)), HasSubstr("an entry has no verdict"));
  EXPECT_THAT(why(with(full_, entries + 1, 101, 1)), HasSubstr("a text is too long"));
  EXPECT_THAT(why(with(full_, entries + 4, 1000, 4)), HasSubstr("a text lies outside of it"));
  EXPECT_THAT(why(with(full_, full_.size() - 1, 0xFF, 1)), HasSubstr("a text is no UTF-8"));
  EXPECT_THAT(why(with(light_, 12, 0, 4)), HasSubstr("its number of shards is impossible"));
  EXPECT_THAT(why(with(light_, 48, 1, 4)), HasSubstr("what belongs to a full one"));
  EXPECT_THAT(why(with(light_, 64, 1, 8)), HasSubstr("its shards do not ascend"));
  EXPECT_THAT(why(with(light_, 64 + 16, 1, 8)), HasSubstr("its shards do not follow each other"));
  EXPECT_THAT(why(with(light_, 64 + 24, 0, 4)), HasSubstr("the shape of a shard is impossible"));
  EXPECT_THAT(why(with(light_, 64 + 28, 15, 4)), HasSubstr("the shape of a shard is impossible"));
  EXPECT_THAT(why(with(light_, 64 + 24, 1u << 20, 4)), HasSubstr("a shard ends outside of it"));
  EXPECT_THAT(why(with(light_, 64 + 24, 1, 4)), HasSubstr("its last shard is not its end"));
}

TEST_F(DamagedDatabases, whole_checks_find_what_opening_does_not_look_at) {
  Collection collection;
  for (std::uint64_t i = 0; i < 5000; ++i) must(collection.add(digest_of(i), Verdict::untrusted, {}, {}));
  ASSERT_TRUE(collection.write_full(file("b.full")));
  auto bytes = read("b.full");
  const std::size_t digests = bytes.size() - 5000 * 32 - 8;
  std::swap(bytes[digests + 3 * 32 + 20], bytes[digests + 3 * 32 + 21]);  // still in order
  ASSERT_TRUE((*Database::of_bytes(bytes))->check());
  for (std::size_t i = 0; i < 32; ++i) std::swap(bytes[digests + 6 * 32 + i], bytes[digests + 7 * 32 + i]);
  const auto opened = Database::of_bytes(bytes);
  ASSERT_TRUE(opened) << "the sample is every 4th, so this order is not looked at";
  EXPECT_THAT((*opened)->check().error().message, HasSubstr("is out of order"));
}

TEST_F(DamagedDatabases, files_that_are_none) {
  EXPECT_THAT(Database::open(folder_ / "gone").error().message, HasSubstr("gone"));
  EXPECT_THAT(Database::open(folder_).error().message, HasSubstr("not a regular file"));
  EXPECT_THAT(Database::open(write("empty", "")).error().message, HasSubstr("is empty"));
}

}  // namespace
}  // namespace picket::digests
