// What becomes of a run: asked for, waiting, cancelled, stopped, watched, refused, recorded.
#include "tasks/definition.hpp"
#include "unit/tasks/runner_fixture.hpp"

namespace picket::tasks {
namespace {

constexpr std::string_view kByHand = R"({"tasks":{"x":{"type":"test","options":{"a":1}}}})";

class CountingRouter final : public bus::Router {
 public:
  explicit CountingRouter(std::unique_ptr<bus::Router> router) : router_(std::move(router)) {}
  Result<std::unique_ptr<bus::Peer>> attach(bus::PeerOptions options, bus::Handler& handler) override { return router_->attach(std::move(options), handler); }
  void withdraw(std::string_view topic, std::string_view publisher) override { router_->withdraw(topic, publisher); }
  void forget(std::string_view topic, std::string_view key) override { router_->forget(topic, key); }
  void set_tap(Tap tap) override { router_->set_tap(std::move(tap)); }
  std::vector<TopicInfo> topics() const override { return ++asked, router_->topics(); }
  mutable std::atomic<int> asked{0};

 private:
  const std::unique_ptr<bus::Router> router_;
};

TEST_F(TasksTest, run_by_hand_and_say_what_came_of_it) {
  open(kByHand);
  plugin_->say("partial", "half of it");
  const auto done = run("x");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->result(), "partial");
  EXPECT_EQ(done->text(), "half of it");
  EXPECT_EQ(done->trigger(), "by-hand");
  EXPECT_EQ(done->run(), 1U);
  EXPECT_EQ(plugin_->asked().front().options_json(), R"({"a":1})");
  ASSERT_EQ(history("x").size(), 1U);
  EXPECT_EQ(history("x").front().SerializeAsString(), done->SerializeAsString());
  EXPECT_EQ(show("x").last().result(), "partial");
  EXPECT_THAT(tasks_->problems(), testing::ElementsAre("task x: partial: half of it"));
}

TEST_F(TasksTest, are_cancelled_and_the_work_hears_of_it) {
  open(kByHand);
  plugin_->holds = true;
  ASSERT_TRUE(run("x", true));
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  EXPECT_EQ(show("x").state(), "running");
  const auto again = run("x");
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("runs already"));
  v1::CancelRequest cancel;
  cancel.set_id("x");
  ASSERT_TRUE(ask<v1::Run>("picket.task.cancel", cancel));
  EXPECT_TRUE(plugin_->wait_for_cancelled());
  ASSERT_TRUE(comes_true([&] { return history().size() == 1; }));
  EXPECT_EQ(history().front().result(), "cancelled");
  const auto idle = ask<v1::Run>("picket.task.cancel", cancel);
  ASSERT_FALSE(idle);
  EXPECT_THAT(idle.error().message, HasSubstr("does not run"));
}

TEST_F(TasksTest, are_stopped_when_they_take_too_long) {
  open(R"({"tasks":{"x":{"type":"test","stop_after":{"minutes":5}}}})");
  plugin_->holds = true;
  ASSERT_TRUE(run("x", true));
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  clock_.pass(299);
  EXPECT_EQ(show("x").state(), "running");
  clock_.pass(1);
  EXPECT_TRUE(plugin_->wait_for_cancelled());
  ASSERT_TRUE(comes_true([&] { return history().size() == 1; }));
  EXPECT_EQ(history().front().result(), "timed-out");
}

TEST_F(TasksTest, wait_for_a_free_place) {
  open(R"({"at_once":1,"tasks":{"a":{"type":"test"},"b":{"type":"test"}}})");
  plugin_->holds = true;
  ASSERT_TRUE(run("a", true));
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  ASSERT_TRUE(run("b", true));
  EXPECT_EQ(show("b").state(), "waiting");
  EXPECT_EQ(plugin_->asked().size(), 1U);
  plugin_->let_go();
  ASSERT_TRUE(plugin_->wait_for_asked(2));
  plugin_->let_go();
  ASSERT_TRUE(comes_true([&] { return history().size() == 2; }));
}

TEST_F(TasksTest, one_that_is_always_due_keeps_no_other_waiting_for_ever) {
  open(R"({"at_once":1,"tasks":{"a":{"type":"test","schedule":{"every":{"seconds":60}}},"z":{"type":"test"}}})");
  plugin_->holds = true;
  clock_.pass(60);
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  ASSERT_TRUE(run("z", true));
  clock_.pass(60);
  plugin_->let_go();
  ASSERT_TRUE(plugin_->wait_for_asked(2));
  EXPECT_EQ(plugin_->asked()[1].task(), "z");
}

TEST_F(TasksTest, one_that_waits_is_cancelled_before_it_begins) {
  open(R"({"at_once":1,"tasks":{"a":{"type":"test"},"b":{"type":"test"}}})");
  plugin_->holds = true;
  ASSERT_TRUE(run("a", true));
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  ASSERT_TRUE(run("b", true));
  v1::CancelRequest cancel;
  cancel.set_id("b");
  ASSERT_TRUE(ask<v1::Run>("picket.task.cancel", cancel));
  EXPECT_EQ(show("b").state(), "idle");
  plugin_->let_go();
  ASSERT_TRUE(comes_true([&] { return history().size() == 1; }));
  EXPECT_EQ(plugin_->asked().size(), 1U);
}

// What never begins has no end that a watcher would hear of.
TEST_F(TasksTest, whoever_watches_one_that_waits_hears_that_it_will_not_begin) {
  constexpr std::string_view both = R"({"at_once":1,"tasks":{"a":{"type":"test"},"b":{"type":"test"}}})";
  open(both);
  plugin_->holds = true;
  ASSERT_TRUE(run("a", true));
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  const auto watch_b = [&] {
    v1::WatchRequest watch;
    watch.set_id("b");
    const auto payload = watch.SerializeAsString();
    auto stream = caller_->open({.topic = "picket.task.watch", .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(60)}, 65536);
    EXPECT_TRUE(stream);
    EXPECT_EQ(show("b").state(), "waiting") << "and the watcher is known";
    return std::move(*stream);
  };
  const auto end_of = [](auto& stream) {
    const auto chunk = stream->next(std::chrono::seconds(60));
    return chunk && !*chunk ? stream->reply().payload : chunk ? std::string("a message") : chunk.error().message;
  };
  ASSERT_TRUE(run("b", true));
  auto stream = watch_b();
  v1::CancelRequest cancel;
  cancel.set_id("b");
  ASSERT_TRUE(ask<v1::Run>("picket.task.cancel", cancel));
  EXPECT_THAT(end_of(stream), HasSubstr("b was cancelled before it began"));
  ASSERT_TRUE(run("b", true));
  stream = watch_b();
  ASSERT_TRUE(tasks_->apply_settings(R"({"at_once":1,"tasks":{"a":{"type":"test"}}})"));
  EXPECT_THAT(end_of(stream), HasSubstr("b was taken out of the settings"));
  plugin_->let_go();
}

TEST_F(TasksTest, one_that_is_switched_off_while_it_waits_for_its_turn_does_not_begin) {
  open(R"({"at_once":1,"tasks":{"a":{"type":"test"},"b":{"type":"test","schedule":{"every":{"seconds":60}}}}})");
  plugin_->holds = true;
  ASSERT_TRUE(run("a", true));
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  clock_.pass(60);
  ASSERT_TRUE(comes_true([&] { return show("b").state() == "waiting"; }));
  ASSERT_TRUE(tasks_->apply_settings(R"({"at_once":1,"tasks":{"a":{"type":"test"},"b":{"type":"test","enabled":false,"schedule":{"every":{"seconds":60}}}}})"));
  EXPECT_EQ(show("b").state(), "disabled");
  ASSERT_TRUE(run("b", true));
  EXPECT_EQ(show("b").state(), "waiting") << "by hand it runs all the same";
  ASSERT_TRUE(tasks_->apply_settings(R"({"at_once":1,"tasks":{"a":{"type":"test"},"b":{"type":"test","enabled":false}}})"));
  EXPECT_EQ(show("b").state(), "waiting");
  plugin_->let_go();
  ASSERT_TRUE(plugin_->wait_for_asked(2));
  EXPECT_EQ(plugin_->asked()[1].trigger(), "by-hand");
  plugin_->let_go();
}

TEST_F(TasksTest, all_are_listed_once_in_however_many_messages_that_takes) {
  std::string settings;
  for (int i = 100; i < 200; ++i) settings += cat(settings.empty() ? "" : ",", "\"t", std::to_string(i), "\":{\"type\":\"test\"}");
  open(cat(R"({"tasks":{)", settings, "}}"));
  plugin_->say("ok", std::string(50'000, 'x'));
  for (int i = 100; i < 180; ++i) {
    const auto done = run(cat("t", std::to_string(i)));
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_EQ(done->text().size(), Records::kMaxText) << "as the history keeps it";
  }
  std::vector<std::string> ids;
  v1::ListRequest request;
  for (int page = 0;; ++page) {
    const auto reply = ask<v1::ListReply>("picket.task.list", request);
    ASSERT_TRUE(reply) << reply.error().message;
    ASSERT_FALSE(reply->tasks().empty());
    EXPECT_EQ(reply->types().empty(), page != 0);
    for (const auto& task : reply->tasks()) ids.push_back(task.id());
    if (!reply->more()) {
      EXPECT_EQ(page, 1);
      break;
    }
    request.set_after(ids.back());
  }
  ASSERT_EQ(ids.size(), 101u) << "and the one that is built in";
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

TEST_F(TasksTest, one_that_never_ran_has_no_last_run_in_the_list) {
  open(kByHand);
  const auto reply = ask<v1::ListReply>("picket.task.list", v1::ListRequest());
  ASSERT_TRUE(reply);
  for (const auto& task : reply->tasks()) EXPECT_FALSE(task.has_last()) << task.id();
}

class Listener final : public bus::Handler {
 public:
  void on_message(const bus::MessagePtr& message) override {
    v1::Run run;
    if (run.ParseFromArray(message->payload().data(), static_cast<int>(message->payload().size()))) heard = run.run();
  }
  std::atomic<std::uint64_t> heard{0};
};

TEST_F(TasksTest, a_reply_that_just_fits_the_bus_is_told_kept_and_shown_all_the_same) {
  Listener listener;
  const auto peer = router_->attach({.name = "listener", .allow = {.subscribes = {"picket.task.finished"}}}, listener).value();
  open(kByHand);
  ASSERT_EQ(peer->subscribe("picket.task.finished"), bus::kOk);
  v1::WorkReply reply;
  reply.set_result("partial");
  for (int i = 0; i < 1500; ++i) {
    auto& part = *reply.add_parts();
    part.set_name(std::to_string(i));
    part.set_result("ok");
    part.set_text(std::string(60, 'x'));
  }
  auto& last = *reply.add_parts();
  last.set_name("last");
  last.set_result("failed");
  last.set_text(std::string(bus::kMaxPayload - 16 - reply.ByteSizeLong(), 'y'));
  ASSERT_LE(reply.ByteSizeLong(), bus::kMaxPayload);
  plugin_->say_bytes(reply.SerializeAsString());
  const auto done = run("x");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->parts(done->parts_size() - 1).name(), "last");
  EXPECT_THAT(done->text(), HasSubstr("parts are left out"));
  EXPECT_TRUE(comes_true([&] { return listener.heard == done->run(); }));
  EXPECT_EQ(show("x").last().run(), done->run());
  EXPECT_EQ(history().size(), 1u);
}

TEST_F(TasksTest, an_end_of_the_agent_is_recorded) {
  open(kByHand);
  plugin_->holds = true;
  ASSERT_TRUE(run("x", true));
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  open(kByHand);
  ASSERT_EQ(history().size(), 1U);
  EXPECT_EQ(history().front().result(), "interrupted");
  EXPECT_THAT(history().front().text(), HasSubstr("stopped"));
}

TEST_F(TasksTest, a_crash_is_recorded_once) {
  open(kByHand);
  ASSERT_TRUE(run("x"));
  tasks_.reset();
  {
    auto records = Records::open(root_ / "tasks");
    ASSERT_TRUE(records);
    auto what = records->of("x");
    what.running = 2;
    what.type = "test";
    what.trigger = "schedule";
    ASSERT_TRUE(records->set("x", what));
  }
  open(kByHand);
  open(kByHand);
  const auto runs = history("x");
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs.front().run(), 2U);
  EXPECT_EQ(runs.front().result(), "interrupted");
  EXPECT_THAT(runs.front().text(), HasSubstr("ended while it ran"));
  EXPECT_EQ(run("x")->run(), 3U) << "numbers go on";
}

TEST_F(TasksTest, a_type_that_nobody_offers_fails_with_one_line) {
  open(R"({"tasks":{"x":{"type":"colour"}}})");
  EXPECT_EQ(show("x").text(), "no plugin that runs offers tasks of type 'colour'");
  const auto done = run("x");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->result(), "failed");
  EXPECT_EQ(done->text(), "no plugin that runs offers tasks of type 'colour'");
}

TEST_F(TasksTest, a_list_asks_once_who_offers_which_type_however_many_tasks_there_are) {
  auto counting = std::make_unique<CountingRouter>(std::move(router_));
  const auto& asked = counting->asked;
  router_ = std::move(counting);
  open(R"({"tasks":{"a":{"type":"test"},"b":{"type":"colour"},"c":{"type":"copy","options":{"folders":["/srv"]}},"d":{"type":"colour"}}})");
  const int before = asked;
  const auto reply = ask<v1::ListReply>("picket.task.list", v1::ListRequest());
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(asked - before, 1);
  std::vector<std::string> hindered;
  for (const auto& task : reply->tasks())
    if (!task.text().empty()) hindered.push_back(task.id());
  EXPECT_THAT(hindered, testing::ElementsAre("b", "d"));
}

TEST_F(TasksTest, the_longest_options_and_the_longest_run_are_shown_in_one_message) {
  const auto options = cat(R"({"a":")", std::string(kMaxOptions - 8, 'a'), R"("})");
  open(cat(R"({"tasks":{"x":{"type":"test","options":)", options, "}}}"));
  v1::WorkReply reply;
  reply.set_result("partial");
  while (reply.ByteSizeLong() < 120'000) {
    auto& part = *reply.add_parts();
    part.set_result("failed");
    part.set_text(std::string(1000, 'x'));
  }
  plugin_->say_bytes(reply.SerializeAsString());
  ASSERT_TRUE(run("x"));
  EXPECT_EQ(plugin_->asked().front().options_json(), options);
  const auto shown = show("x");
  EXPECT_THAT(shown.definition_json(), HasSubstr(options));
  EXPECT_THAT(shown.last().text(), HasSubstr("parts are left out"));
}

TEST_F(TasksTest, a_plugin_that_goes_or_answers_nonsense_is_a_failure) {
  open(kByHand);
  plugin_->say("splendid");
  EXPECT_EQ(run("x")->result(), "failed");
  plugin_->holds = true;
  ASSERT_TRUE(run("x", true));
  ASSERT_TRUE(plugin_->wait_for_asked(2));
  plugin_.reset();
  ASSERT_TRUE(comes_true([&] { return history().size() == 2; }));
  EXPECT_EQ(history().front().result(), "failed");
}

TEST(Tasks, settings_are_checked_without_tasks_that_run) {
  EXPECT_TRUE(Tasks::check_settings("{}"));
  EXPECT_TRUE(Tasks::check_settings(R"({"tasks":{"out":{"type":"copy","options":{"folders":["/srv"]}},"theirs":{"options":{"anything":1}}}})"));
  EXPECT_EQ(Tasks::check_settings(R"({"tasks":{"out":{"type":"copy","options":{"folders":["srv"]}}}})").error().message, "tasks.out.options.folders: 'srv' is no absolute path");
  EXPECT_EQ(Tasks::check_settings(R"({"tasks":{"x":{"schedule":{"after":{"task":"y"}}}}})").error().message, "tasks.x.schedule.after: there is no task 'y'");
}

TEST_F(TasksTest, settings_that_are_wrong_change_nothing) {
  open(kByHand);
  const auto taken = tasks_->apply_settings(R"({"tasks":{"back":{"type":"rollback"}}})");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().message, "tasks.back.options.component: a rollback needs it");
  EXPECT_THAT(tasks_->apply_settings(R"({"tasks":{"u":{"type":"update","options":{"quick":1}}}})").error().message, HasSubstr("an update knows no 'quick'"));
  EXPECT_TRUE(run("x"));
}

TEST_F(TasksTest, a_task_that_is_taken_out_ends_by_itself) {
  open(kByHand);
  plugin_->holds = true;
  ASSERT_TRUE(run("x", true));
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  ASSERT_TRUE(tasks_->apply_settings("{}"));
  plugin_->let_go();
  ASSERT_TRUE(comes_true([&] { return history().size() == 1; }));
  EXPECT_EQ(history().front().result(), "ok");
  EXPECT_FALSE(run("x"));
}

TEST_F(TasksTest, are_watched_to_their_end) {
  open(kByHand);
  plugin_->holds = true;
  v1::WatchRequest watch;
  watch.set_id("x");
  EXPECT_THAT(ask<v1::Run>("picket.task.watch", watch).error().message, HasSubstr("does not run"));
  ASSERT_TRUE(run("x", true));
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  const auto payload = watch.SerializeAsString();
  auto stream = caller_->open({.topic = "picket.task.watch", .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(60)}, 65536);
  ASSERT_TRUE(stream);
  // The watcher is known once a later question of the same peer was answered.
  EXPECT_EQ(show("x").state(), "running");
  plugin_->let_go();
  auto chunk = (*stream)->next(std::chrono::seconds(60));
  ASSERT_TRUE(chunk && *chunk);
  v1::WatchEvent event;
  ASSERT_TRUE(event.ParseFromArray((*chunk)->payload().data(), static_cast<int>((*chunk)->payload().size())));
  EXPECT_EQ(event.task(), "x");
  EXPECT_EQ(event.progress().step(), "work");
  chunk = (*stream)->next(std::chrono::seconds(60));
  ASSERT_TRUE(chunk && !*chunk);
  v1::Run done;
  ASSERT_TRUE(done.ParseFromString((*stream)->reply().payload));
  EXPECT_EQ(done.result(), "ok");
}

}  // namespace
}  // namespace picket::tasks
