// The engine end to end, over a real bus.
#include "unit/update/world_test.hpp"

#include <gmock/gmock.h>

namespace picket::update {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(UpdateTest, brings_a_component_and_asks_the_plugin_to_load_it) {
  publish(release(1));
  open();
  EXPECT_EQ(world_->status_of("rules").freshness(), "none");
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text() << "\n" << world_->explain();
  EXPECT_EQ(result.source(), "source.a");
  ASSERT_EQ(result.components_size(), 1);
  EXPECT_EQ(result.components(0).result(), "updated");
  EXPECT_EQ(result.components(0).release_after(), 1u);
  EXPECT_EQ(rule(), "rule of 1 full");
  ASSERT_TRUE(consumer_->wait_for(1));
  const auto seen = consumer_->seen();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].request.set().release(), 1u);
  EXPECT_FALSE(seen[0].request.restored());
  EXPECT_THAT(seen[0].files, ElementsAre("a.yar", "sub/b.yar"));
  const auto status = world_->status_of("rules");
  EXPECT_EQ(status.release(), 1u);
  EXPECT_EQ(status.variant(), "full");
  EXPECT_EQ(status.freshness(), "ok");
  EXPECT_EQ(status.version(), "v1");
  EXPECT_EQ(status.demanded_by(0), "scanner");
  EXPECT_EQ(world_->run().result(), "current");
}

TEST_F(UpdateTest, a_newer_release_replaces_and_the_earlier_is_kept) {
  start_with_release_1();
  publish(release(2));
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(result.components(0).release_before(), 1u);
  EXPECT_EQ(rule(), "rule of 2 full");
  EXPECT_THAT(world_->status_of("rules").kept(), ElementsAre(1u));
  EXPECT_EQ(sets_on_disk(), 2u);
}

TEST_F(UpdateTest, a_refused_release_is_taken_back_and_not_tried_again_until_something_newer_appears) {
  start_with_release_1();
  consumer_->judge = [](const auto& request) { return request.set().release() == 2 ? std::string("rule 7 does not compile") : std::string(); };
  publish(release(2));
  const auto refused = world_->run();
  EXPECT_EQ(refused.result(), "failed");
  EXPECT_EQ(refused.components(0).result(), "refused");
  EXPECT_THAT(refused.text(), HasSubstr("rule 7 does not compile"));
  EXPECT_EQ(rule(), "rule of 1 full");
  const auto seen = consumer_->seen();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_TRUE(seen[2].request.restored());
  EXPECT_EQ(seen[2].request.set().release(), 1u);
  EXPECT_THAT(world_->status_of("rules").refused(), ElementsAre(2u));

  source_->forget_asked();
  EXPECT_EQ(world_->run().result(), "current");
  EXPECT_EQ(source_->sent_of("rules/full"), 0u) << "fetched again";
  publish(release(3));
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 3 full");
}

TEST_F(UpdateTest, tells_its_results_and_remembers_them_over_a_restart) {
  start_with_release_1();
  reopen();
  v1::HistoryRequest question;
  const auto history = world_->ask<v1::HistoryReply>("picket.update.history", question).value();
  ASSERT_EQ(history.runs_size(), 1);
  EXPECT_EQ(history.runs(0).result(), "ok");
  EXPECT_EQ(history.runs(0).components(0).component(), "rules");
  EXPECT_EQ(world_->status_of("rules").release(), 1u);
  const auto next = world_->run();
  EXPECT_EQ(next.result(), "current");
  EXPECT_GT(next.run(), history.runs(0).run());
}

}  // namespace
}  // namespace picket::update
