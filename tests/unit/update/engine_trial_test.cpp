// A verification before others get it: what is on trial is told and handed to nobody, also not after a restart in between.
#include "unit/update/world_test.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include <gmock/gmock.h>
#include <picket/update/v1/sources.pb.h>

namespace picket::update {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Hears picket.update.finished, as the tasks do.
class Finished : public bus::Handler {
 public:
  explicit Finished(bus::Router& router) {
    bus::PeerOptions options;
    options.name = "tasks";
    options.allow.subscribes = {"picket.update.finished"};
    peer_ = router.attach(std::move(options), *this).value();
    EXPECT_EQ(peer_->subscribe("picket.update.finished"), bus::kOk);
  }
  ~Finished() override { peer_.reset(); }
  void on_message(const bus::MessagePtr& message) override {
    v1::RunResult result;
    EXPECT_TRUE(result.ParseFromArray(message->payload().data(), static_cast<int>(message->payload().size())));
    const std::lock_guard lock(mutex_);
    const bool is_new = std::ranges::any_of(result.components(), [](const auto& component) { return component.result() == "updated"; });
    heard_.push_back(result.kind() + (is_new ? ": new" : ": nothing new"));
    changed_.notify_all();
  }
  std::vector<std::string> after(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(60), [&] { return heard_.size() >= count; });
    return heard_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> heard_;
  std::unique_ptr<bus::Peer> peer_;
};

class UpdateTrial : public UpdateTest {
 protected:
  void SetUp() override {
    UpdateTest::SetUp();
    finished_ = std::make_unique<Finished>(*world_->router);
    publish(release(1));
    open();
    ASSERT_EQ(world_->run().result(), "ok");
  }
  void TearDown() override {
    world_->close();
    finished_.reset();
    UpdateTest::TearDown();
  }
  v1::RunResult try_out() {
    v1::RunRequest order;
    order.set_trial(true);
    order.set_force_check(true);
    return world_->ask<v1::RunResult>("picket.update.run", order).value();
  }
  v1::RunResult verdict(const std::string& word, const std::string& why = "") {
    v1::VerdictRequest order;
    order.set_verdict(word);
    order.set_why(why);
    return world_->ask<v1::RunResult>("picket.update.verdict", order).value();
  }
  // What a distribution point is told: "2" that release, "2+" it and every newer one.
  std::vector<std::string> held() {
    bus::PeerOptions options;
    options.name = "point";
    options.allow.asks = {"picket.update.sources"};
    const auto caller = bus::Caller::attach(*world_->router, std::move(options)).value();
    const auto answer = caller->call({.topic = "picket.update.sources", .to = {}, .content_type = {}, .payload = {}, .timeout = std::chrono::seconds(20)}).value();
    v1::SourcesReply reply;
    EXPECT_TRUE(reply.ParseFromString(answer.payload));
    std::vector<std::string> out;
    for (const auto& one : reply.held()) out.push_back(std::to_string(one.release()) + (one.newer() ? "+" : ""));
    return out;
  }
  v1::RunResult copy() {
    v1::ExportRequest order;
    order.add_folders((folder_ / "copy").native());
    return world_->ask<v1::RunResult>("picket.update.export", order).value();
  }

  std::unique_ptr<Finished> finished_;
};

TEST_F(UpdateTrial, is_told_and_handed_on_only_when_it_has_passed) {
  publish(release(2));
  EXPECT_THAT(held(), IsEmpty());
  const auto tried = try_out();
  ASSERT_EQ(tried.result(), "ok") << tried.text();
  EXPECT_EQ(rule(), "rule of 2 full") << "the testers try what is in force here";
  EXPECT_TRUE(world_->status_of("rules").trial());
  EXPECT_EQ(world_->status_of("rules").text(), "on trial: handed on when a verification has passed");
  EXPECT_THAT(held(), ElementsAre("2+"));
  EXPECT_THAT(copy().text(), HasSubstr("release 2 is on trial"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "copy"));

  const auto passed = verdict("passed");
  EXPECT_EQ(passed.kind(), "verification");
  EXPECT_EQ(passed.result(), "ok") << passed.text();
  ASSERT_EQ(passed.components_size(), 1);
  EXPECT_EQ(passed.components(0).result(), "updated");
  EXPECT_EQ(passed.components(0).release_before(), 1u);
  EXPECT_EQ(passed.components(0).release_after(), 2u);
  EXPECT_THAT(finished_->after(2), ElementsAre("update: new", "verification: new"));
  EXPECT_FALSE(world_->status_of("rules").trial());
  EXPECT_THAT(held(), ElementsAre("3+")) << "what comes next waits for the next verification";
  EXPECT_EQ(copy().result(), "ok");
  EXPECT_EQ(verdict("passed").result(), "current") << "nothing is on trial any more";
}

TEST_F(UpdateTrial, goes_back_and_is_refused_when_it_fails) {
  publish(release(2));
  ASSERT_EQ(try_out().result(), "ok");
  const auto failed = verdict("failed", "try-scan: 3 samples were missed");
  EXPECT_EQ(failed.result(), "failed");
  EXPECT_EQ(failed.components(0).result(), "refused");
  EXPECT_EQ(failed.components(0).release_after(), 1u);
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_TRUE(consumer_->seen().back().request.restored());
  EXPECT_THAT(finished_->after(2), ElementsAre("update: new", "verification: nothing new"));
  EXPECT_THAT(held(), ElementsAre("2", "2+"));
  EXPECT_THAT(world_->engine->problems().front().text, HasSubstr("release 2 was refused by the verification: try-scan: 3 samples were missed"));
  EXPECT_EQ(try_out().result(), "current") << "not taken again";
  EXPECT_EQ(copy().result(), "ok") << "what was in force before is handed on as ever";
  publish(release(3));
  ASSERT_EQ(try_out().result(), "ok");
  EXPECT_EQ(verdict("passed").components(0).release_before(), 1u);
  EXPECT_THAT(held(), ElementsAre("2", "4+"));
}

TEST_F(UpdateTrial, is_still_on_trial_after_a_restart_and_goes_back_although_nothing_is_new) {
  publish(release(2));
  ASSERT_EQ(try_out().result(), "ok");
  reopen();
  EXPECT_TRUE(world_->status_of("rules").trial());
  EXPECT_THAT(held(), ElementsAre("2+")) << "before any run";
  EXPECT_EQ(try_out().result(), "current");
  const auto failed = verdict("failed", "try-scan: broken");
  EXPECT_EQ(failed.components(0).release_after(), 1u);
  EXPECT_EQ(rule(), "rule of 1 full");
  for (const auto& heard : finished_->after(3)) EXPECT_NE(heard, "verification: new");
  reopen();
  EXPECT_THAT(held(), ElementsAre("2", "2+"));
  EXPECT_FALSE(world_->status_of("rules").trial());
}

TEST_F(UpdateTrial, several_in_a_row_without_a_verdict_go_back_to_the_last_that_passed) {
  reopen(R"("keep_sets":1)");
  for (int number = 2; number <= 4; ++number) {
    publish(release(number));
    ASSERT_EQ(try_out().result(), "ok");
  }
  EXPECT_EQ(verdict("failed", "bad").components(0).release_after(), 1u);
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_EQ(try_out().components(0).release_after(), 3u) << "which nobody has tried yet";
}

TEST_F(UpdateTrial, what_was_not_tried_to_the_end_goes_back_and_is_taken_again) {
  publish(release(2));
  ASSERT_EQ(try_out().result(), "ok");
  const auto untried = verdict("untried", "no tester is there");
  EXPECT_EQ(untried.result(), "cancelled");
  EXPECT_EQ(untried.components(0).result(), "rolled-back");
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_THAT(held(), ElementsAre("2+")) << "and nobody gets it meanwhile";
  source_->forget_asked();
  EXPECT_EQ(try_out().components(0).release_after(), 2u);
  EXPECT_EQ(source_->sent_of("targets/"), 0u) << "it is at hand";
  EXPECT_EQ(verdict("passed").result(), "ok");
}

TEST_F(UpdateTrial, the_first_set_of_all_that_fails_leaves_nothing_in_force) {
  auto other = release(1);
  other.component = "lists";
  publish(other);
  world_->demands.push_back({"lists", "databases", "scanner", true});
  ASSERT_EQ(try_out().result(), "ok");
  const auto failed = verdict("failed", "bad");
  ASSERT_EQ(failed.components_size(), 1) << "rules were there before and are not on trial";
  EXPECT_EQ(failed.components(0).release_after(), 0u);
  EXPECT_EQ(world_->file_of("lists", "a.yar"), "");
  EXPECT_EQ(rule(), "rule of 1 full");
}

TEST_F(UpdateTrial, a_set_that_a_plugin_refuses_is_not_on_trial) {
  publish(release(2));
  consumer_->judge = [](const auto& request) { return request.set().release() == 2 ? std::string("syntax error") : std::string(); };
  EXPECT_EQ(try_out().components(0).result(), "refused");
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_FALSE(world_->status_of("rules").trial());
  EXPECT_THAT(held(), ElementsAre("2", "2+"));
  EXPECT_TRUE(verdict("failed", "bad").components().empty());
}

TEST_F(UpdateTrial, an_update_that_nobody_verifies_ends_the_hold) {
  publish(release(2));
  ASSERT_EQ(try_out().result(), "ok");
  publish(release(3));
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_FALSE(world_->status_of("rules").trial());
  EXPECT_THAT(held(), IsEmpty());
}

TEST_F(UpdateTrial, what_was_rolled_back_by_hand_is_not_handed_on_unless_it_is_pinned) {
  publish(release(2));
  ASSERT_EQ(world_->run().result(), "ok");
  ASSERT_EQ(world_->rollback("rules").result(), "ok");
  EXPECT_THAT(held(), ElementsAre("2"));
  ASSERT_TRUE(world_->settings({"source.a"}, R"("pinned":[{"component":"rules","release":2}])"));
  EXPECT_THAT(held(), IsEmpty());
}

TEST_F(UpdateTrial, knows_only_its_three_verdicts) {
  v1::VerdictRequest order;
  order.set_verdict("perhaps");
  const auto answer = world_->ask<v1::RunResult>("picket.update.verdict", order);
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("a verdict is passed, failed or untried"));
}

}  // namespace
}  // namespace picket::update
