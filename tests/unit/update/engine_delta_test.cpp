// Updates by deltas: fewer bytes when all is well, the full file when anything is not.
#include "unit/update/world_test.hpp"

#include <gmock/gmock.h>

#include "base/files.hpp"

namespace picket::update {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using What = Trouble::What;

std::string noise(std::size_t size, std::uint64_t state) {
  std::string out(size, '\0');
  for (auto& c : out) state = state * 6364136223846793005u + 1442695040888963407u, c = static_cast<char>(state >> 56);
  return out;
}

class UpdateDelta : public UpdateTest {
 protected:
  // 40 kB that do not compress, of which a few change with each release.
  static Offer wide(std::int64_t number) {
    Offer offer;
    offer.release = number;
    auto big = noise(40'000, 1);
    for (std::int64_t i = 0; i < number; ++i) big.replace(static_cast<std::size_t>(5000 * i), 10, cat("changed ", std::to_string(i), "!"));
    offer.files = {{"a.yar", "rule of " + std::to_string(number)}, {"sub/big.bin", big}};
    return offer;
  }
  void offer(const Offer& offer) { full_[offer.release] = "targets/" + repository_.offer(offer); }
  void offer_delta(std::int64_t from, std::int64_t to, const std::function<void(std::string&)>& spoil = {}) {
    delta_[{from, to}] = "targets/" + repository_.offer_delta(from, to, spoil);
  }
  void serve() {
    repository_.publish();
    source_->serve(repository_);
    if (second_) second_->serve(repository_);
  }
  // Release 1 in force, 2 offered with a delta.
  void begin(const std::function<void(std::string&)>& spoil = {}, std::string_view more = "") {
    offer(wide(1));
    serve();
    open(more);
    ASSERT_EQ(world_->run().result(), "ok");
    offer(wide(2));
    offer_delta(1, 2, spoil);
    serve();
    source_->forget_asked();
  }
  [[nodiscard]] std::string big() const { return world_->file_of("rules", "sub/big.bin"); }
  [[nodiscard]] static std::string big_of(std::int64_t number) { return wide(number).files[1].second; }
  [[nodiscard]] std::uint64_t sent_full(std::int64_t number) const { return source_->sent_of(full_.at(number)); }
  [[nodiscard]] std::uint64_t sent_delta(std::int64_t from, std::int64_t to) const { return source_->sent_of(delta_.at({from, to})); }
  [[nodiscard]] std::size_t left_behind() const {
    std::size_t count = 0;
    for (const char* place : {"downloads", "staging"})
      for (const auto& entry : std::filesystem::directory_iterator(folder_ / "data" / place)) count += !entry.path().empty();
    return count;
  }

  std::map<std::int64_t, std::string> full_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::string> delta_;
};

TEST_F(UpdateDelta, fetches_what_changed_and_nothing_else) {
  begin();
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text() << world_->explain();
  EXPECT_EQ(rule(), "rule of 2");
  EXPECT_EQ(big(), big_of(2));
  EXPECT_EQ(sent_full(2), 0u);
  EXPECT_GT(sent_delta(1, 2), 0u);
  EXPECT_LT(sent_delta(1, 2), 200u);
  EXPECT_THAT(world_->explain(), AllOf(HasSubstr("road: the delta from release 1 ("), HasSubstr("verified as a whole"), Not(HasSubstr("failed"))));
  EXPECT_EQ(left_behind(), 0u);
  EXPECT_EQ(world_->run().result(), "current");
}

TEST_F(UpdateDelta, of_nothing_when_a_release_brings_the_same_content) {
  begin();
  auto again = wide(1);
  again.release = 3;
  offer(again);
  serve();
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text() << world_->explain();
  EXPECT_EQ(result.components(0).release_after(), 3u);
  EXPECT_EQ(result.components(0).bytes(), 0u);
  EXPECT_EQ(rule(), "rule of 1");
  EXPECT_EQ(sent_full(3), 0u);
  EXPECT_THAT(world_->explain(), HasSubstr("road: nothing to fetch"));
  EXPECT_EQ(left_behind(), 0u);
}

TEST_F(UpdateDelta, of_a_single_file_works_too) {
  Offer one;
  one.single = noise(50'000, 7);
  offer(one);
  serve();
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  Offer two = one;
  two.release = 2;
  two.single.insert(20'000, "in between");
  offer(two);
  offer_delta(1, 2);
  serve();
  ASSERT_EQ(world_->run().result(), "ok") << world_->explain();
  EXPECT_EQ(world_->file_of("rules", "database.bin"), two.single);
  EXPECT_EQ(sent_full(2), 0u);
  EXPECT_EQ(world_->run().result(), "current");
  // Its stored files are read again, and are what they should be.
  world_->clock.wall += 100 * 3600;
  EXPECT_EQ(world_->run().result(), "current") << world_->explain();
}

TEST_F(UpdateDelta, chain_brings_what_no_single_one_can) {
  offer(wide(1));
  serve();
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  for (int number = 2; number <= 4; ++number) {
    offer(wide(number));
    offer_delta(number - 1, number);
  }
  serve();
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(big(), big_of(4));
  EXPECT_EQ(sent_full(4), 0u);
  EXPECT_THAT(world_->explain(), HasSubstr("a chain of 3 deltas from release 1"));
  EXPECT_EQ(left_behind(), 0u);
}

TEST_F(UpdateDelta, can_be_switched_off) {
  begin({}, R"("deltas": false)");
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(sent_delta(1, 2), 0u);
  EXPECT_GT(sent_full(2), 0u);
  EXPECT_THAT(world_->explain(), HasSubstr("deltas are off in the settings"));
}

TEST_F(UpdateDelta, that_makes_something_else_is_followed_by_the_full_file) {
  begin([](std::string& bytes) { bytes[bytes.size() - 8] = static_cast<char>(bytes[bytes.size() - 8] ^ 0x55); });
  ASSERT_EQ(world_->run().result(), "ok") << world_->explain();
  EXPECT_EQ(big(), big_of(2));
  EXPECT_GT(sent_full(2), 0u);
  EXPECT_THAT(world_->explain(), AllOf(HasSubstr("by deltas it failed: "), HasSubstr("the full file is fetched, and no delta to this release is tried again")));
  EXPECT_EQ(left_behind(), 0u);
}

TEST_F(UpdateDelta, that_failed_is_not_tried_again_even_after_a_restart) {
  begin([](std::string& bytes) { bytes = "junk"; });
  source_->make_trouble({full_.at(2), What::missing});
  ASSERT_EQ(world_->run().result(), "failed");
  EXPECT_EQ(big(), big_of(1)) << "the old set stays";
  EXPECT_GT(sent_delta(1, 2), 0u);
  source_->forget_asked();
  reopen();
  ASSERT_EQ(world_->run().result(), "failed");
  EXPECT_EQ(sent_delta(1, 2), 0u);
  EXPECT_THAT(world_->explain(), HasSubstr("a delta to release 2 failed before"));
  source_->no_trouble();
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(big(), big_of(2));
  // A newer release may come by delta again.
  offer(wide(3));
  offer_delta(2, 3);
  serve();
  source_->forget_asked();
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(sent_full(3), 0u);
}

TEST_F(UpdateDelta, damaged_on_its_way_is_followed_by_the_full_file) {
  begin();
  source_->make_trouble({delta_.at({1, 2}), What::flips});
  ASSERT_EQ(world_->run().result(), "ok") << world_->explain();
  EXPECT_EQ(big(), big_of(2));
  EXPECT_GT(sent_full(2), 0u);
}

TEST_F(UpdateDelta, missing_at_the_source_is_followed_by_the_full_file_of_the_same_source) {
  begin();
  source_->make_trouble({delta_.at({1, 2}), What::missing});
  ASSERT_EQ(world_->run().result(), "ok") << world_->explain();
  EXPECT_GT(sent_full(2), 0u);
  EXPECT_THAT(world_->explain(), Not(HasSubstr("no delta to this release is tried again")));
}

TEST_F(UpdateDelta, is_not_fetched_when_the_installed_files_are_not_its_base) {
  begin();
  const auto set = std::filesystem::canonical(folder_ / "data/sets/rules/current");
  const auto victim = set / "sub/big.bin";
  std::filesystem::permissions(victim.parent_path(), std::filesystem::perms::owner_all);
  std::filesystem::permissions(victim, std::filesystem::perms::owner_all);
  ASSERT_TRUE(write_file_atomic(victim, "damaged"));
  ASSERT_EQ(world_->run().result(), "ok") << world_->explain();
  EXPECT_EQ(big(), big_of(2));
  EXPECT_EQ(sent_delta(1, 2), 0u);
  EXPECT_THAT(world_->explain(), HasSubstr("what is installed is not, byte for byte, what the delta starts from"));
}

TEST_F(UpdateDelta, that_wants_too_much_memory_is_followed_by_the_full_file) {
  begin([](std::string& bytes) { bytes = cat(std::string("D\x01", 2), std::string(bytes, 2, 6), std::string(1, 31), "junk"); });
  ASSERT_EQ(world_->run().result(), "ok") << world_->explain();
  EXPECT_GT(sent_full(2), 0u);
  EXPECT_THAT(world_->explain(), HasSubstr("are allowed"));
}

TEST_F(UpdateDelta, can_start_from_a_set_that_came_by_delta) {
  begin();
  ASSERT_EQ(world_->run().result(), "ok");
  offer(wide(3));
  offer_delta(2, 3);
  serve();
  source_->forget_asked();
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(sent_full(3), 0u) << "a set that came by delta is as good a base as one that came whole";
}

}  // namespace
}  // namespace picket::update
