// What happens when the agent or a plugin starts.
#include "unit/update/world_test.hpp"

#include <condition_variable>
#include <mutex>

#include <gmock/gmock.h>

#include "base/files.hpp"

namespace picket::update {
namespace {

using ::testing::HasSubstr;

class Watcher : public bus::Handler {
 public:
  Watcher(bus::Router& router, std::string topic) {
    bus::PeerOptions options;
    options.name = "watcher";
    options.allow.subscribes = {topic};
    peer_ = router.attach(std::move(options), *this).value();
    EXPECT_EQ(peer_->subscribe(topic), bus::kOk);
  }
  ~Watcher() override { peer_.reset(); }
  void on_message(const bus::MessagePtr& message) override {
    {
      const std::lock_guard lock(mutex_);
      payloads_.emplace_back(message->payload());
    }
    changed_.notify_all();
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return payloads_.size() >= count; });
  }
  std::string last() {
    const std::lock_guard lock(mutex_);
    return payloads_.empty() ? "" : payloads_.back();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> payloads_;
  std::unique_ptr<bus::Peer> peer_;
};

bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition())
    if (std::chrono::steady_clock::now() > until) return false;
  return true;
}

TEST_F(UpdateTest, a_plugin_that_starts_is_handed_the_set_in_force) {
  publish(release(1));
  world_->demands[0].running = false;
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_TRUE(consumer_->seen().empty());
  EXPECT_THAT(world_->status_of("rules").text(), HasSubstr("not yet loaded"));
  world_->demands[0].running = true;
  world_->engine->plugin_started("scanner");
  ASSERT_TRUE(consumer_->wait_for(1));
  EXPECT_EQ(consumer_->seen()[0].request.set().release(), 1u);
  EXPECT_TRUE(eventually([&] { return world_->status_of("rules").text().empty(); }));
  world_->engine->plugin_started("somebody else");
}

TEST_F(UpdateTest, a_set_that_nobody_has_confirmed_and_a_starting_plugin_refuses_goes_back) {
  start_with_release_1();
  publish(release(2));
  world_->demands[0].running = false;
  ASSERT_EQ(world_->run().result(), "ok");
  consumer_->judge = [](const auto& request) { return request.set().release() == 2 ? std::string("crash") : std::string(); };
  world_->demands[0].running = true;
  world_->engine->plugin_started("scanner");
  EXPECT_TRUE(eventually([&] { return rule() == "rule of 1 full"; }));
  EXPECT_TRUE(eventually([&] { return world_->status_of("rules").refused_size() == 1; }));
  EXPECT_THAT(world_->status_of("rules").text(), HasSubstr("could not load release 2"));
}

TEST_F(UpdateTest, a_set_that_was_confirmed_stays_when_a_starting_plugin_has_trouble) {
  start_with_release_1();
  publish(release(2));
  ASSERT_EQ(world_->run().result(), "ok");
  consumer_->judge = [](const auto&) { return std::string("no memory"); };
  world_->engine->plugin_started("scanner");
  EXPECT_TRUE(eventually([&] { return world_->status_of("rules").text().find("no memory") != std::string::npos; }));
  EXPECT_EQ(rule(), "rule of 2 full");
}

TEST_F(UpdateTest, a_set_that_was_confirmed_and_is_over_all_the_same_goes_back) {
  start_with_release_1();
  publish(release(2));
  ASSERT_EQ(world_->run().result(), "ok");
  consumer_->judge = [](const auto& request) { return request.set().release() == 2 ? std::string("over") : std::string(); };
  world_->engine->plugin_started("scanner");
  EXPECT_TRUE(eventually([&] { return rule() == "rule of 1 full"; }));
  EXPECT_EQ(world_->run().result(), "current");  // and it is not taken again
  EXPECT_EQ(rule(), "rule of 1 full");
}

TEST_F(UpdateTest, a_plugin_that_hangs_while_it_loads_is_a_refusal) {
  start_with_release_1();
  publish(release(2));
  ASSERT_TRUE(world_->settings({"source.a"}, R"("confirm_timeout_seconds":1)"));
  consumer_->judge = [](const auto& request) { return request.set().release() == 2 ? std::string("hang") : std::string(); };
  const auto result = world_->run();
  EXPECT_EQ(result.components(0).result(), "refused");
  EXPECT_EQ(rule(), "rule of 1 full");
}

TEST_F(UpdateTest, a_first_release_that_is_refused_leaves_nothing_in_force) {
  publish(release(1));
  consumer_->judge = [](const auto&) { return std::string("bad rules"); };
  Watcher watcher(*world_->router, "picket.component.active");
  open();
  const auto result = world_->run();
  EXPECT_EQ(result.components(0).result(), "refused");
  EXPECT_THAT(result.text(), HasSubstr("nothing is in force"));
  EXPECT_EQ(world_->status_of("rules").release(), 0u);
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(folder_ / "data/sets/rules/current")));
  publish(release(2));
  consumer_->judge = nullptr;
  EXPECT_EQ(world_->run().result(), "ok");
}

TEST_F(UpdateTest, the_bus_knows_what_is_in_force_also_after_a_restart) {
  start_with_release_1();
  world_->close();
  world_->router->forget("picket.component.active", "rules");
  open();
  Watcher watcher(*world_->router, "picket.component.active");
  ASSERT_TRUE(watcher.wait_for(1));
  component::v1::ActiveSet set;
  ASSERT_TRUE(set.ParseFromString(watcher.last()));
  EXPECT_EQ(set.release(), 1u);
  EXPECT_EQ(read_file(std::filesystem::path(set.path()) / "a.yar", 100).value(), "rule of 1 full");
  EXPECT_EQ(set.store(), folder_ / "data") << "with the files that sets share";
}

TEST_F(UpdateTest, what_a_start_had_to_put_right_is_in_the_log) {
  start_with_release_1();
  world_->close();
  ASSERT_TRUE(std::filesystem::remove(folder_ / "data/journal"));
  open();
  EXPECT_THAT(world_->warnings, testing::ElementsAre(HasSubstr("rules: the journal did not know that 1-full-")));
  reopen();
  EXPECT_EQ(world_->warnings.size(), 1u) << "it is right now";
}

TEST_F(UpdateTest, the_end_of_a_run_is_an_event) {
  publish(release(1));
  open();
  Watcher watcher(*world_->router, "picket.update.finished");
  const auto result = world_->run();
  ASSERT_TRUE(watcher.wait_for(1));
  v1::RunResult told;
  ASSERT_TRUE(told.ParseFromString(watcher.last()));
  EXPECT_EQ(told.SerializeAsString(), result.SerializeAsString());
}

TEST_F(UpdateTest, a_second_engine_on_the_same_folder_is_refused) {
  publish(release(1));
  open();
  UpdateWorld other(folder_);
  const auto opened = other.open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::busy);
  EXPECT_THAT(opened.error().message, HasSubstr((folder_ / "data").native()));
}

TEST_F(UpdateTest, says_how_often_updates_are_wanted_and_shows_when_they_come) {
  publish(release(1));
  auto opened = world_->open();
  ASSERT_TRUE(opened);
  ASSERT_TRUE(world_->engine->apply_settings(R"({"interval_minutes":90,"sources":[]})"));
  EXPECT_EQ(world_->engine->interval(), std::chrono::minutes(90));
  EXPECT_EQ(world_->status().next_run(), 0);
  world_->engine->runs_next(world_->clock.wall + 60);
  EXPECT_EQ(world_->status().next_run(), world_->clock.wall + 60);
}

TEST_F(UpdateTest, databases_are_lacking_until_they_are_there_where_somebody_wants_them_and_a_source_may_have_them) {
  publish(release(1));
  auto opened = world_->open();
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_FALSE(world_->engine->is_lacking()) << "no source is named yet";
  ASSERT_TRUE(world_->settings({"source.a"}, R"("declined":[{"component":"rules"}])"));
  EXPECT_FALSE(world_->engine->is_lacking()) << "not wanted";
  ASSERT_TRUE(world_->settings({"source.a"}));
  EXPECT_TRUE(world_->engine->is_lacking());
  source_->make_trouble({.path_part = "metadata/", .what = Trouble::What::unreachable});
  ASSERT_EQ(world_->run().result(), "failed");
  EXPECT_TRUE(world_->engine->is_lacking());
  source_->no_trouble();
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_FALSE(world_->engine->is_lacking());
  ASSERT_TRUE(world_->settings({"source.a"}, R"("components":["mistyped"])"));
  EXPECT_TRUE(world_->engine->is_lacking());
  (void)world_->run();
  EXPECT_FALSE(world_->engine->is_lacking()) << "the repository does not have it";
}

TEST_F(UpdateTest, settings_that_are_wrong_change_nothing) {
  publish(release(1));
  open();
  const auto taken = world_->engine->apply_settings(R"({"keep_sets":0})");
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("keep_sets"));
  EXPECT_EQ(world_->run().result(), "ok");
}

TEST_F(UpdateTest, a_missing_initial_root_is_named) {
  publish(release(1));
  std::filesystem::remove(folder_ / "root.json");
  open();
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr((folder_ / "root.json").native()));
}

TEST_F(UpdateTest, what_is_wrong_with_this_computer_is_no_sources_fault) {
  publish(release(1));
  open();
  world_->clock.wall = 0;
  const auto early = world_->run();
  EXPECT_EQ(early.result(), "failed");
  EXPECT_EQ(early.text(), "the clock is wrong: it says 1970-01-01T00:00:00Z");
  world_->clock.wall = support::TufRepo::start + 3600;
  world_->write_root("{\"signed\":");
  const auto damaged = world_->run();
  EXPECT_EQ(damaged.result(), "failed");
  EXPECT_THAT(damaged.text(), testing::StartsWith(cat("the initial root of trust, ", (folder_ / "root.json").native(), ": ")));
  EXPECT_NE(world_->status().sources(0).state(), "failed");
  const auto problems = world_->engine->problems();
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].text, cat("rules: without databases: ", damaged.text())) << "also for who sees no more than the status";
  world_->write_root(repository_.tuf.first_root());
  EXPECT_EQ(world_->run().result(), "ok");
}

TEST_F(UpdateTest, malformed_requests_are_answered_with_an_error) {
  publish(release(1));
  open();
  for (const auto* topic : {"picket.update.run", "picket.update.rollback", "picket.update.history", "picket.update.explain"}) {
    const auto answer = world_->caller->call({.topic = topic, .to = {}, .content_type = {}, .payload = "\xff\xff\xff", .timeout = std::chrono::seconds(20)});
    ASSERT_FALSE(answer) << topic;
    EXPECT_EQ(answer.error().code, Code::invalid);
  }
}

// As picketd's own release: whether it stays is known after a restart, when the question comes again.
class PendingTest : public UpdateTest {
 protected:
  void bring_pending() {
    for (const std::int64_t number : {1, 2}) {
      auto offer = release(number);
      offer.cls = "agent";
      repository_.offer(offer);
      if (number == 1) repository_.publish();
      if (number == 1) bring();
    }
    repository_.publish();
    consumer_->judge = [](const auto& request) { return request.restored() || request.set().release() == 1 ? std::string() : std::string("pending"); };
    bring();
  }
  [[nodiscard]] v1::HistoryReply history() {
    auto reply = world_->ask<v1::HistoryReply>("picket.update.history", v1::HistoryRequest());
    return reply ? *reply : v1::HistoryReply();
  }

 private:
  void bring() {
    source_->serve(repository_);
    world_->demands[0].component_class = "agent";
    if (!world_->engine) open();
    last_ = world_->run();
  }

 protected:
  v1::RunResult last_;
};

TEST_F(PendingTest, it_is_in_force_but_not_confirmed_and_the_run_says_so) {
  bring_pending();
  EXPECT_EQ(last_.result(), "ok") << last_.text();
  EXPECT_EQ(last_.components(0).result(), "updated");
  EXPECT_EQ(last_.components(0).text(), "known after a restart");
  EXPECT_EQ(world_->status_of("rules").release(), 2u);
  // Asked again while nothing has changed: still not known, and no second line in the history.
  world_->engine->plugin_started("scanner");
  ASSERT_TRUE(consumer_->wait_for(3));
  EXPECT_EQ(history().runs_size(), 2);
}

TEST_F(PendingTest, after_the_restart_it_is_confirmed_once) {
  bring_pending();
  world_->close();
  consumer_->judge = {};
  open();
  world_->engine->plugin_started("scanner");
  ASSERT_TRUE(eventually([&] { return history().runs_size() == 3; }));
  EXPECT_EQ(history().runs(0).kind(), "start");
  EXPECT_EQ(history().runs(0).components(0).result(), "confirmed");
  EXPECT_EQ(history().runs(0).text(), "2 rules");
  EXPECT_GT(history().runs(0).run(), history().runs(1).run());
  world_->engine->plugin_started("scanner");
  ASSERT_TRUE(consumer_->wait_for(4));
  EXPECT_EQ(world_->run().components(0).result(), "current");
  EXPECT_EQ(history().runs(1).kind(), "start");  // and not again
}

TEST_F(PendingTest, after_the_restart_it_is_refused_and_the_earlier_one_comes_back) {
  bring_pending();
  world_->close();
  consumer_->judge = [](const auto& request) { return request.set().release() == 2 ? std::string("was taken back: it ended at once") : std::string(); };
  open();
  world_->engine->plugin_started("scanner");
  ASSERT_TRUE(eventually([&] { return history().runs_size() == 3; }));
  EXPECT_EQ(history().runs(0).kind(), "start");
  EXPECT_EQ(history().runs(0).components(0).result(), "refused");
  EXPECT_THAT(history().runs(0).components(0).text(), HasSubstr("was taken back: it ended at once"));
  EXPECT_EQ(history().runs(0).components(0).release_after(), 1u);
  EXPECT_EQ(world_->status_of("rules").release(), 1u);
  EXPECT_THAT(world_->file_of("rules", "a.yar"), HasSubstr("1"));
  // And is not tried again.
  (void)world_->run();
  EXPECT_EQ(world_->status_of("rules").release(), 1u);
}

}  // namespace
}  // namespace picket::update
