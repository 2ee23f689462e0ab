// From a collection to a full database and back.
#include <gmock/gmock.h>

#include <algorithm>
#include <random>

#include "unit/digests/digests_fixture.hpp"

namespace picket::digests {
namespace {

using ::testing::HasSubstr;

class FullDatabases : public DigestsTest {
 protected:
  std::shared_ptr<const Database> full(Collection& collection) {
    const auto written = collection.write_full(file("digests.full"));
    EXPECT_TRUE(written) << written.error().message;
    auto database = Database::open_set(folder_);
    EXPECT_TRUE(database) << database.error().message;
    EXPECT_EQ(written->bytes, std::filesystem::file_size(file("digests.full")));
    return *database;
  }
};

TEST_F(FullDatabases, finds_what_is_in_it_and_nothing_else) {
  Collection collection;
  for (std::uint64_t i = 0; i < 20'000; ++i) must(collection.add(digest_of(i), i % 3 == 0 ? Verdict::trusted : Verdict::untrusted, "kind", cat("name ", std::to_string(i % 700))));
  const auto database = full(collection);
  ASSERT_TRUE(database->check());
  EXPECT_EQ(database->counts().all(), 20'000u);
  EXPECT_EQ(database->counts().trusted, 6667u);
  EXPECT_FALSE(database->is_light());
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const auto known = database->find(digest_of(i));
    ASSERT_EQ(known.verdict, i % 3 == 0 ? Verdict::trusted : Verdict::untrusted) << i;
    ASSERT_EQ(known.name, cat("name ", std::to_string(i % 700)));
    ASSERT_EQ(known.category, "kind");
    ASSERT_FALSE(known.maybe);
    ASSERT_EQ(database->find(digest_of(1'000'000 + i)).verdict, Verdict::unknown) << i;
  }
}

TEST_F(FullDatabases, holds_one_digest_and_none) {
  Collection none, one;
  EXPECT_EQ(full(none)->find(digest_of(1)).verdict, Verdict::unknown);
  must(one.add(digest_of(1), Verdict::abusable, "", ""));
  const auto database = full(one);
  EXPECT_EQ(database->find(digest_of(1)).verdict, Verdict::abusable);
  EXPECT_EQ(database->find(digest_of(2)).verdict, Verdict::unknown);
}

TEST_F(FullDatabases, finds_digests_that_are_crowded_together) {
  Collection collection;
  for (unsigned i = 0; i < 5000; ++i) {
    Sha256 digest{};  // all in one bucket, the last ones differ in the last bytes only
    digest[30] = static_cast<std::uint8_t>(i >> 8);
    digest[31] = static_cast<std::uint8_t>(i);
    must(collection.add(digest, Verdict::untrusted, "", std::to_string(i % 5)));
  }
  Sha256 highest;
  highest.fill(0xFF);
  must(collection.add(highest, Verdict::untrusted, "", "last"));
  const auto database = full(collection);
  ASSERT_TRUE(database->check());
  for (unsigned i = 0; i < 5000; ++i) {
    Sha256 digest{};
    digest[30] = static_cast<std::uint8_t>(i >> 8);
    digest[31] = static_cast<std::uint8_t>(i);
    ASSERT_EQ(database->find(digest).name, std::to_string(i % 5));
  }
  EXPECT_EQ(database->find(highest).name, "last");
}

TEST_F(FullDatabases, takes_the_stricter_verdict_and_the_text_that_says_more) {
  Collection collection;
  must(collection.add(digest_of(1), Verdict::trusted, "", "good"));
  must(collection.add(digest_of(1), Verdict::untrusted, "", ""));
  must(collection.add(digest_of(1), Verdict::untrusted, "", "Evil"));
  must(collection.add(digest_of(2), Verdict::untrusted, "", "same"));
  must(collection.add(digest_of(2), Verdict::untrusted, "", "same"));
  const auto written = collection.write_full(file("digests.full"));
  ASSERT_TRUE(written);
  EXPECT_EQ(written->in_conflict, 1u);
  EXPECT_EQ(written->repeated, 1u);
  EXPECT_EQ(written->counts.all(), 2u);
  const auto database = *Database::open_set(folder_);
  EXPECT_EQ(database->find(digest_of(1)).name, "Evil");
  EXPECT_EQ(database->find(digest_of(1)).verdict, Verdict::untrusted);
}

TEST_F(FullDatabases, are_the_same_bytes_in_whatever_order_the_content_came) {
  std::vector<std::uint64_t> numbers(3000);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = i % 2900;  // some twice
  std::string first[2];
  for (unsigned round = 0; round < 3; ++round) {
    std::shuffle(numbers.begin(), numbers.end(), std::mt19937(round));
    Collection collection;
    for (const auto number : numbers) must(collection.add(digest_of(number), number % 5 == 0 ? Verdict::trusted : Verdict::untrusted, "c", std::to_string(number % 7)));
    ASSERT_TRUE(collection.write_full(file("a.full")));
    ASSERT_TRUE(collection.write_light(file("a.light")));
    if (round == 0) first[0] = read("a.full"), first[1] = read("a.light");
    EXPECT_EQ(read("a.full"), first[0]);
    EXPECT_EQ(read("a.light"), first[1]);
  }
}

TEST_F(FullDatabases, keep_texts_to_one_line_of_utf8_and_bounded) {
  Collection collection;
  must(collection.add(digest_of(1), Verdict::untrusted, "\xff\xfe", " a\nb\x01 "));
  must(collection.add(digest_of(2), Verdict::untrusted, "", std::string(299, 'x') + "\xc3\xa9"));
  must(collection.add(digest_of(3), Verdict::untrusted, std::string(5000, 'c'), "\xc3\xa9"));
  EXPECT_EQ(collection.add(digest_of(4), Verdict::unknown, "", "").error().code, Code::invalid);
  const auto database = full(collection);
  EXPECT_EQ(database->find(digest_of(1)).category, "??");
  EXPECT_EQ(database->find(digest_of(1)).name, "a b");
  EXPECT_EQ(database->find(digest_of(2)).name, std::string(299, 'x'));
  EXPECT_EQ(database->find(digest_of(3)).category, std::string(100, 'c'));
  EXPECT_EQ(database->find(digest_of(3)).name, "\xc3\xa9");
}

TEST_F(FullDatabases, need_only_as_many_bytes_for_names_as_there_are_names) {
  const auto size_with = [&](unsigned names) {
    Collection collection;
    for (std::uint64_t i = 0; i < 1000; ++i) must(collection.add(digest_of(i), Verdict::untrusted, "", names == 1 ? std::string() : std::to_string(i % names)));
    return full(collection)->bytes();
  };
  EXPECT_LT(size_with(1), 1000 * 32 + 64 + 4 * 17 + 8 + 1);
  EXPECT_LT(size_with(256), 1000 * 33 + 64 + 4 * 17 + 256 * 11 + 1);
  EXPECT_GT(size_with(257), 1000 * 34u);
}

TEST_F(FullDatabases, leave_nothing_behind_where_they_cannot_be_written) {
  Collection collection;
  must(collection.add(digest_of(1), Verdict::untrusted, "", ""));
  std::filesystem::create_directory(file("taken"));
  EXPECT_FALSE(collection.write_full(file("taken")));
  EXPECT_FALSE(collection.write_light(file("none/x.light")));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FullDatabases, sets_need_exactly_one_database) {
  EXPECT_EQ(Database::open_set(folder_).error().code, Code::not_found);
  EXPECT_THAT(Database::open_set(folder_ / "gone").error().message, HasSubstr("holds no digests"));
  Collection collection;
  must(collection.add(digest_of(1), Verdict::untrusted, "", ""));
  ASSERT_TRUE(collection.write_light(file("digests.full")));
  EXPECT_THAT(Database::open_set(folder_).error().message, HasSubstr("has the other form's content"));
  ASSERT_TRUE(collection.write_light(file("digests.light")));
  EXPECT_THAT(Database::open_set(folder_).error().message, HasSubstr("holds both"));
  std::filesystem::remove(file("digests.full"));
  std::filesystem::rename(file("digests.light"), file("elsewhere"));
  std::filesystem::create_symlink(file("elsewhere"), file("digests.light"));
  EXPECT_FALSE(Database::open_set(folder_)) << "a link out of the set was followed";
}

}  // namespace
}  // namespace picket::digests
