// A source that holds releases back on purpose, as a distribution point of which the administrator declined one, or whose agent has not verified it yet.
#include <fstream>

#include <gmock/gmock.h>

#include "trust/held_back.hpp"
#include "unit/update/world_test.hpp"

namespace picket::update {
namespace {

using ::testing::HasSubstr;

class UpdateHeld : public UpdateTest {
 protected:
  // The first source has release 1, and of 2 the metadata; the second one has all.
  void hold_the_second(bool is_believed = true) {
    world_->sources_may_hold_back = is_believed;
    publish(release(1));
    open();
    ASSERT_EQ(world_->run().result(), "ok");
    publish(release(2));
    source_->files.erase("targets/" + last_path_);
    source_->files["metadata/held.json"] = trust::write_held_back({{"rules", {2}}});
  }
};

TEST_F(UpdateHeld, is_no_failure_while_an_earlier_one_is_in_force_and_is_said) {
  hold_the_second();
  for (int i = 0; i < 2; ++i) {
    const auto result = world_->run();
    EXPECT_EQ(result.result(), "current") << result.text();
    EXPECT_EQ(result.components(0).text(), "release 1 stays; release 2: source.a holds it back on purpose, as declined or not verified yet");
  }
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_THAT(world_->status_of("rules").text(), HasSubstr("source.a holds it back on purpose"));
  publish(release(3));
  source_->files.erase("metadata/held.json");
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 3 full");
}

TEST_F(UpdateHeld, is_no_failure_however_many_they_are) {
  hold_the_second();
  for (const std::int64_t number : {3, 4, 5, 6}) publish(release(number));
  std::erase_if(source_->files, [](const auto& file) { return file.first.starts_with("targets/"); });
  source_->files["metadata/held.json"] = trust::write_held_back({{"rules", {2, 3, 4, 5, 6}}});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "current") << result.text();
  EXPECT_THAT(result.components(0).text(), HasSubstr("release 1 stays; release 2: source.a holds it back on purpose"));
}

TEST_F(UpdateHeld, is_not_fetched_from_another_source) {
  add_second();
  hold_the_second();
  EXPECT_EQ(world_->run().result(), "current");
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_EQ(second_->sent_of("targets/"), 0u);
  source_->files.erase("metadata/held.json");
  EXPECT_EQ(world_->run().result(), "ok") << "what it merely lacks another one gives";
  EXPECT_EQ(rule(), "rule of 2 full");
}

// A server in between could keep releases away for ever.
TEST_F(UpdateHeld, counts_only_where_the_source_is_believed) {
  hold_the_second(false);
  EXPECT_EQ(world_->run().result(), "failed");
  EXPECT_EQ(source_->sent_of("metadata/held.json"), 0u);
  add_second();
  reopen();
  publish(release(3));
  source_->files.erase("targets/" + last_path_);
  source_->files["metadata/held.json"] = trust::write_held_back({{"rules", {3}}});
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 3 full");
}

TEST_F(UpdateHeld, leaves_nobody_without_databases_in_silence) {
  publish(release(1));
  world_->sources_may_hold_back = true;
  source_->files.erase("targets/" + last_path_);
  source_->files["metadata/held.json"] = trust::write_held_back({{"rules", {1}}});
  open();
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("holds it back on purpose"));
}

TEST_F(UpdateHeld, may_be_had_again_where_it_is_in_force_and_damaged) {
  add_second();
  hold_the_second();
  source_->files.erase("metadata/held.json");
  ASSERT_EQ(world_->run().result(), "ok");
  ASSERT_EQ(rule(), "rule of 2 full");
  source_->files["metadata/held.json"] = trust::write_held_back({{"rules", {1, 2}}});
  const auto file = std::filesystem::path(world_->status_of("rules").path()) / "a.yar";
  std::filesystem::permissions(file, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  std::ofstream(file) << "damaged";
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 2 full");
}

TEST_F(UpdateHeld, must_be_said_in_words_that_can_be_read) {
  hold_the_second();
  source_->files["metadata/held.json"] = "[]";
  EXPECT_EQ(world_->run().result(), "failed");
  EXPECT_THAT(world_->explain(), HasSubstr("must be an object with an object"));
}

}  // namespace
}  // namespace picket::update
