// Components that their plugin can do without: what nobody offers is no failure, what is offered and does not come is one.
#include "unit/update/world_test.hpp"

#include <gmock/gmock.h>

namespace picket::update {
namespace {

using ::testing::HasSubstr;
using What = Trouble::What;

class OptionalComponent : public UpdateTest {
 protected:
  void publish_lists(std::int64_t number) {
    auto lists = release(number);
    lists.component = "lists";
    publish(lists);
  }
};

TEST_F(OptionalComponent, that_nobody_offers_is_no_failure_until_somebody_needs_it) {
  publish(release(1));
  world_->demands.push_back({"absent", "databases", "scanner", true, true});
  open();
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_THAT(result.components(0).text(), HasSubstr("offers no component absent, which is optional"));
  EXPECT_TRUE(world_->engine->problems().empty());
  EXPECT_EQ(world_->status_of("absent").text(), "not offered");
  {
    const std::lock_guard lock(world_->demands_mutex);
    world_->demands.push_back({"absent", "databases", "other", true, false});
  }
  EXPECT_EQ(world_->run().result(), "partial");
  EXPECT_FALSE(world_->engine->problems().empty());
}

TEST_F(OptionalComponent, that_nobody_offers_makes_no_failure_a_partial_success) {
  world_->demands.push_back({"absent", "databases", "scanner", true, true});
  publish(release(1));
  source_->make_trouble({"targets/", What::flips, 30, 1000});
  open();
  EXPECT_EQ(world_->run().result(), "failed");
  source_->no_trouble();
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok");
  EXPECT_THAT(result.text(), testing::Not(HasSubstr("current already")));
}

TEST_F(OptionalComponent, that_cannot_be_brought_is_a_warning) {
  publish(release(1));
  publish_lists(1);
  world_->demands.push_back({"lists", "databases", "scanner", true, true});
  source_->make_trouble({"targets/lists", What::missing, 0, 1000});
  open();
  EXPECT_EQ(world_->run().result(), "partial");
  ASSERT_FALSE(world_->engine->problems().empty());
  EXPECT_FALSE(world_->engine->problems()[0].critical);
  EXPECT_THAT(world_->engine->problems()[0].text, HasSubstr("lists: "));
}

TEST_F(OptionalComponent, in_force_does_not_stay_behind_in_silence_when_its_metadata_are_kept_back) {
  publish_lists(1);
  publish(release(1));
  world_->demands.push_back({"lists", "databases", "scanner", true, true});
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  source_->make_trouble({".lists.json", What::missing, 0, 1000});
  repository_.offer(release(2));
  repository_.tuf.publish({"rules", "snapshot", "timestamp"});
  source_->serve(repository_);
  EXPECT_EQ(world_->run().result(), "ok") << "nothing new was signed for it: what is stored is still right";
  publish_lists(2);
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "partial");
  EXPECT_EQ(result.components(0).result(), "failed");
  EXPECT_THAT(result.components(0).text(), HasSubstr("no source could give its metadata: source.a: "));
  ASSERT_FALSE(world_->engine->problems().empty());
  EXPECT_THAT(world_->engine->problems()[0].text, HasSubstr("lists: no source could give its metadata"));
  EXPECT_EQ(world_->status_of("lists").release(), 1u);
  source_->no_trouble();
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(world_->status_of("lists").release(), 2u);
}

TEST_F(OptionalComponent, that_was_never_in_force_is_no_failure_where_no_source_holds_it) {
  publish_lists(1);
  publish(release(1));
  world_->demands.push_back({"lists", "databases", "scanner", true, true});
  source_->make_trouble({".lists.json", What::missing, 0, 1000});
  open();
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(result.components(0).result(), "current");
  EXPECT_THAT(result.components(0).text(), HasSubstr("no source could give its metadata: source.a: "));
  EXPECT_THAT(result.components(0).text(), HasSubstr(", which is optional"));
}

}  // namespace
}  // namespace picket::update
