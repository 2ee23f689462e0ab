// Bits that flip in what is stored: found, repaired, and nothing is lost.
#include "unit/update/world_test.hpp"

#include <gmock/gmock.h>

#include "base/files.hpp"
#include "update/set_store.hpp"

namespace picket::update {
namespace {

using ::testing::HasSubstr;
using What = Trouble::What;

class UpdateDamage : public UpdateTest {
 protected:
  static void flip(const std::filesystem::path& file, std::size_t at = 3) {
    auto bytes = read_file(file, 10u << 20).value();
    ASSERT_GT(bytes.size(), at);
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    std::filesystem::permissions(file.parent_path(), std::filesystem::perms::owner_all);
    ASSERT_TRUE(write_file_atomic(file, bytes, 0444));
  }
};

TEST_F(UpdateDamage, a_flipped_bit_in_the_set_in_force_is_found_and_repaired) {
  start_with_release_1();
  flip(folder_ / "data/sets/rules/current/a.yar");
  ASSERT_NE(rule(), "rule of 1 full");
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_THAT(result.components(0).text(), HasSubstr("damaged"));
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_EQ(world_->run().result(), "current");
}

TEST_F(UpdateDamage, a_flipped_bit_in_a_kept_set_is_not_rolled_back_to) {
  start_with_release_1();
  const auto first = world_->status_of("rules").path();
  publish(release(2));
  ASSERT_EQ(world_->run().result(), "ok");
  flip(std::filesystem::path(first) / "a.yar");
  const auto result = world_->rollback("rules");
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("damaged on disk"));
  EXPECT_EQ(rule(), "rule of 2 full");
}

TEST_F(UpdateDamage, a_flipped_bit_in_a_partial_download_costs_one_more_download) {
  Offer offer;
  offer.single = std::string(500'000, 'q');
  publish(offer);
  source_->make_trouble({"targets/", What::dies, 200'000, 1});
  open();
  EXPECT_EQ(world_->run().result(), "failed");
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "data/downloads")) flip(entry.path());
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(world_->file_of("rules", "database.bin"), offer.single);
  EXPECT_THAT(world_->explain(), HasSubstr("fetched anew"));
}

TEST_F(UpdateDamage, a_flipped_bit_in_any_other_stored_file_loses_no_set) {
  start_with_release_1();
  publish(release(2));
  ASSERT_EQ(world_->run().result(), "ok");
  world_->close();
  for (const auto* name : {"journal", "counters", "history.jsonl", "metadata/root.json", "metadata/timestamp.json", "metadata/snapshot.json", "metadata/targets.json",
                           "metadata/rules.json", "metadata.highest"}) {
    SCOPED_TRACE(name);
    flip(folder_ / "data" / name, 25);
    open();
    EXPECT_EQ(rule(), "rule of 2 full");
    EXPECT_EQ(world_->status_of("rules").release(), 2u);
    const auto result = world_->run();
    EXPECT_EQ(result.result(), "current") << result.text();
    world_->close();
  }
}

TEST_F(UpdateDamage, a_damaged_description_of_the_set_in_force_brings_the_earlier_back_until_the_next_update) {
  start_with_release_1();
  publish(release(2));
  ASSERT_EQ(world_->run().result(), "ok");
  const auto set = std::filesystem::read_symlink(folder_ / "data/sets/rules/current").native();
  world_->close();
  flip(folder_ / "data/sets/rules" / (set + ".json"));
  open();
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 2 full");
}

}  // namespace
}  // namespace picket::update
