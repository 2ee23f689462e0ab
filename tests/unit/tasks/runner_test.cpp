// The tasks on a real bus, with a plugin that does as the test says and a clock that the test moves.
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <picket/distribution_point/v1/distribution_point.pb.h>
#include <picket/task/v1/control.pb.h>
#include <picket/update/v1/update.pb.h>

#include "base/files.hpp"
#include "bus/caller.hpp"
#include "runtime/executor.hpp"
#include "tasks/records.hpp"
#include "tasks/tasks.hpp"

namespace picket::tasks {
namespace {

namespace fs = std::filesystem;
namespace v1 = task::v1;
using testing::HasSubstr;

class MovedClock final : public core::Clock {
 public:
  std::int64_t wall_seconds() const override { return wall; }
  std::chrono::milliseconds monotonic() const override { return std::chrono::milliseconds(passed.load()); }
  void pass(std::int64_t time) {
    passed += time * 1000;
    wall += time;
  }
  std::atomic<std::int64_t> wall{1'800'000'000}, passed{0};
};

class Utc final : public Zone {
 public:
  std::int64_t offset_at(std::int64_t) const override { return 0; }
};

// Answers picket.task.type.test as told: at once, or when the test lets it.
class Plugin final : private bus::Handler {
 public:
  Plugin(bus::Router& router, const std::string& topic) {
    bus::PeerOptions options;
    options.name = "plugin." + topic;
    options.allow.answers = {topic};
    options.allow.publishes = {{"picket.update.finished", bus::Kind::event}, {"picket.distribution_point.finished", bus::Kind::event}, {"picket.source.appeared", bus::Kind::event}};
    auto attached = router.attach(std::move(options), *this);
    EXPECT_TRUE(attached) << attached.error().message;
    peer_ = std::move(*attached);
  }
  ~Plugin() override { peer_.reset(); }

  std::atomic<bool> holds{false};       // does not answer by itself
  void say(std::string result, std::string text = "", bool news = false) {
    const std::lock_guard lock(mutex_);
    reply_.set_result(std::move(result));
    reply_.set_text(std::move(text));
    reply_.set_news(news);
  }
  bool wait_for_asked(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return asked_.size() >= count; });
  }
  bool wait_for_cancelled() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return cancelled_; });
  }
  std::vector<v1::WorkRequest> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    for (const auto id : held_) respond(id);
    held_.clear();
  }
  bus::Status publish(std::string_view topic, std::string_view bytes) { return peer_->publish(topic, "", "", bytes); }

 private:
  void respond(bus::RequestId id) {
    update::v1::Progress progress;
    progress.set_step("work");
    progress.set_total(10);
    progress.set_done(10);
    (void)peer_->stream_write(id, progress.SerializeAsString());
    peer_->respond(id, bus::kOk, "", reply_.SerializeAsString());
  }
  void on_request(bus::RequestId id, const bus::MessagePtr& message) override {
    const std::lock_guard lock(mutex_);
    v1::WorkRequest request;
    EXPECT_TRUE(request.ParseFromArray(message->payload().data(), static_cast<int>(message->payload().size())));
    asked_.push_back(request);
    if (holds) held_.push_back(id);
    else respond(id);
    changed_.notify_all();
  }
  void on_cancel(bus::RequestId id) override {
    const std::lock_guard lock(mutex_);
    std::erase(held_, id);
    cancelled_ = true;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  v1::WorkReply reply_ = [] {
    v1::WorkReply out;
    out.set_result("ok");
    return out;
  }();
  std::vector<v1::WorkRequest> asked_;
  std::vector<bus::RequestId> held_;
  bool cancelled_ = false;
  std::unique_ptr<bus::Peer> peer_;
};

class TasksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "picket-tasks-XXXXXX").native();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    executor_ = runtime::Executor::make(2);
    router_ = bus::Router::make(*executor_);
    bus::PeerOptions options;
    options.name = "test";
    options.allow.asks = {"picket.*"};
    caller_ = std::move(*bus::Caller::attach(*router_, std::move(options)));
    plugin_ = std::make_unique<Plugin>(*router_, "picket.task.type.test");
  }
  void TearDown() override {
    tasks_.reset();
    plugin_.reset();
    caller_.reset();
    executor_->stop(std::chrono::seconds(5));
    router_.reset();
    executor_.reset();
    fs::remove_all(root_);
  }
  void open(std::string_view settings) {
    tasks_.reset();
    auto tasks = Tasks::open({root_ / "tasks", "pc-1", std::chrono::milliseconds(5)},
                             {.router = *router_, .clock = clock_, .zone = zone_, .update_interval = [this] { return update_interval_; }, .update_runs_at = [this](std::int64_t at) { update_at_ = at; },
                              .log = {}});
    ASSERT_TRUE(tasks) << tasks.error().message;
    tasks_ = std::move(*tasks);
    const auto taken = tasks_->apply_settings(settings);
    ASSERT_TRUE(taken) << taken.error().message;
  }
  template <class Reply, class Question>
  Result<Reply> ask(std::string_view topic, const Question& question) {
    const auto payload = question.SerializeAsString();
    auto answer = caller_->call({.topic = topic, .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(20)});
    if (!answer) return fail(std::move(answer).error());
    Reply out;
    if (!out.ParseFromString(answer->payload)) return fail(Code::invalid, "answer does not parse");
    return out;
  }
  Result<v1::Run> run(const std::string& id, bool detach = false) {
    v1::StartRequest request;
    request.set_id(id);
    request.set_detach(detach);
    return ask<v1::Run>("picket.task.run", request);
  }
  v1::Task show(const std::string& id) {
    v1::ShowRequest request;
    request.set_id(id);
    auto task = ask<v1::Task>("picket.task.show", request);
    EXPECT_TRUE(task) << task.error().message;
    return task ? *task : v1::Task();
  }
  std::vector<v1::Run> history(const std::string& id = "") {
    v1::HistoryRequest request;
    request.set_id(id);
    auto reply = ask<v1::HistoryReply>("picket.task.history", request);
    EXPECT_TRUE(reply) << reply.error().message;
    return reply ? std::vector<v1::Run>(reply->runs().begin(), reply->runs().end()) : std::vector<v1::Run>();
  }
  // Waits for the condition, which someone else's thread makes true.
  template <class Condition>
  [[nodiscard]] bool comes_true(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::yield();
    }
    return true;
  }

  fs::path root_;
  MovedClock clock_;
  Utc zone_;
  std::atomic<std::int64_t> update_at_{-1};
  std::chrono::seconds update_interval_{7200};
  std::unique_ptr<runtime::Executor> executor_;
  std::unique_ptr<bus::Router> router_;
  std::unique_ptr<bus::Caller> caller_;
  std::unique_ptr<Plugin> plugin_;
  std::unique_ptr<Tasks> tasks_;
};

constexpr std::string_view kByHand = R"({"tasks":{"x":{"type":"test","options":{"a":1}}}})";
constexpr std::string_view kEvery = R"({"tasks":{"x":{"type":"test","schedule":{"every":{"minutes":10}}}}})";

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

TEST_F(TasksTest, run_when_they_are_due) {
  open(kEvery);
  EXPECT_EQ(show("x").next_run(), clock_.wall + 600);
  clock_.pass(599);
  EXPECT_EQ(show("x").state(), "idle");
  clock_.pass(1);
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  EXPECT_EQ(plugin_->asked().front().trigger(), "schedule");
  ASSERT_TRUE(comes_true([&] { return history("x").size() == 1 && show("x").state() == "idle"; }));
  EXPECT_EQ(show("x").next_run(), clock_.wall + 600);
}

TEST_F(TasksTest, make_up_for_what_was_missed_while_the_agent_was_off) {
  open(kEvery);
  tasks_.reset();
  clock_.pass(5000);
  open(kEvery);
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  EXPECT_EQ(plugin_->asked().front().trigger(), "missed");
  ASSERT_TRUE(comes_true([&] { return history().size() == 1; }));
  EXPECT_EQ(show("x").next_run(), clock_.wall + 600) << "and only once";
}

TEST_F(TasksTest, run_after_a_clock_that_went_forward_and_do_not_wait_when_it_comes_back) {
  open(kEvery);
  clock_.wall += 10 * 365 * 86400LL;
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  ASSERT_TRUE(comes_true([&] { return history().size() == 1; }));
  clock_.wall -= 10 * 365 * 86400LL;
  ASSERT_TRUE(comes_true([&] { return show("x").next_run() <= clock_.wall + 600; }));
  clock_.pass(600);
  ASSERT_TRUE(plugin_->wait_for_asked(2));
}

TEST_F(TasksTest, at_start_means_once_a_start) {
  constexpr std::string_view settings = R"({"tasks":{"x":{"type":"test","schedule":{"at_start":{"delay":{"seconds":30}}}}}})";
  open(settings);
  EXPECT_EQ(show("x").next_run(), clock_.wall + 30);
  clock_.pass(30);
  ASSERT_TRUE(plugin_->wait_for_asked(1));
  ASSERT_TRUE(comes_true([&] { return history().size() == 1; }));
  clock_.pass(5000);
  EXPECT_EQ(show("x").next_run(), 0);
  open(settings);
  clock_.pass(30);
  ASSERT_TRUE(plugin_->wait_for_asked(2));
  EXPECT_EQ(plugin_->asked()[1].trigger(), "start");
}

TEST_F(TasksTest, follow_each_other) {
  open(R"({"tasks":{"x":{"type":"test"},"good":{"type":"test","schedule":{"after":{"task":"x"}}},"any":{"type":"test","schedule":{"after":{"task":"x","on":"any","delay":{"seconds":60}}}}}})");
  plugin_->say("failed", "broken");
  ASSERT_TRUE(run("x"));
  EXPECT_EQ(show("any").next_run(), clock_.wall + 60);
  EXPECT_EQ(show("good").next_run(), 0);
  clock_.pass(60);
  ASSERT_TRUE(plugin_->wait_for_asked(2));
  EXPECT_EQ(plugin_->asked()[1].task(), "any");
  EXPECT_EQ(plugin_->asked()[1].trigger(), "after x");
  ASSERT_TRUE(comes_true([&] { return history("any").size() == 1; }));
  plugin_->say("ok");
  ASSERT_TRUE(run("x"));
  ASSERT_TRUE(comes_true([&] { return history("good").size() == 1; }));
}

TEST_F(TasksTest, what_is_to_follow_is_not_forgotten_by_a_restart) {
  constexpr std::string_view settings = R"({"tasks":{"x":{"type":"test"},"y":{"type":"test","schedule":{"after":{"task":"x","delay":{"minutes":5}}}}}})";
  open(settings);
  ASSERT_TRUE(run("x"));
  tasks_.reset();
  clock_.pass(3600);
  open(settings);
  ASSERT_TRUE(plugin_->wait_for_asked(2));
  EXPECT_EQ(plugin_->asked()[1].trigger(), "after x");
}

TEST_F(TasksTest, run_when_there_is_something_new) {
  open(R"({"tasks":{"copy":{"type":"test","schedule":{"new_updates":{}}},"bring":{"type":"test"}}})");
  update::v1::RunResult result;
  result.set_result("ok");
  result.add_components()->set_result("current");
  ASSERT_EQ(plugin_->publish("picket.update.finished", result.SerializeAsString()), bus::kOk);
  plugin_->say("ok", "nothing", false);
  ASSERT_TRUE(run("bring"));
  EXPECT_EQ(show("copy").next_run(), 0) << "nothing was new";
  result.mutable_components(0)->set_result("updated");
  ASSERT_EQ(plugin_->publish("picket.update.finished", result.SerializeAsString()), bus::kOk);
  ASSERT_TRUE(comes_true([&] { return history("copy").size() == 1; }));
  EXPECT_EQ(history("copy").front().trigger(), "new-updates");
  plugin_->say("ok", "brought", true);
  ASSERT_TRUE(run("bring"));
  ASSERT_TRUE(comes_true([&] { return history("copy").size() == 2; }));
  distribution_point::v1::DownloadResult download;
  download.add_points()->set_published(true);
  ASSERT_EQ(plugin_->publish("picket.distribution_point.finished", download.SerializeAsString()), bus::kOk);
  ASSERT_TRUE(comes_true([&] { return history("copy").size() == 3; }));
}

TEST_F(TasksTest, an_update_by_the_clock_runs_when_a_drive_appears_and_one_by_hand_does_not) {
  constexpr std::string_view settings = R"({"tasks":{"clock":{"type":"update","schedule":{"every":{"hours":5},"random_delay":{"minutes":60}}},"hand":{"type":"update"},"other":{"type":"test","schedule":{"every":{"hours":5}}}}})";
  Plugin engine(*router_, "picket.update.run");
  update_interval_ = std::chrono::seconds(0);
  open(settings);
  ASSERT_EQ(plugin_->publish("picket.source.appeared", ""), bus::kOk);
  ASSERT_TRUE(engine.wait_for_asked(1));
  ASSERT_TRUE(comes_true([&] { return show("clock").last().trigger() == "source-appeared"; }));
  EXPECT_EQ(show("hand").last().run(), 0U);
  EXPECT_EQ(show("other").last().run(), 0U);
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

TEST_F(TasksTest, the_update_runs_by_the_interval_of_the_engine_and_sooner_in_an_outbreak) {
  const auto started = clock_.wall.load();
  open("{}");
  ASSERT_TRUE(comes_true([&] { return update_at_ >= started + 7200 && update_at_ <= started + 7920; }));
  EXPECT_EQ(show("update").origin(), "built-in");
  ASSERT_TRUE(tasks_->apply_settings(R"({"outbreak":true})"));
  ASSERT_TRUE(comes_true([&] { return update_at_ >= started + 900 && update_at_ <= started + 990; }));
  update_interval_ = std::chrono::seconds(0);
  tasks_->update_interval_changed();
  ASSERT_TRUE(comes_true([&] { return update_at_ == 0; }));
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
  auto stream = caller_->open({.topic = "picket.task.watch", .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(20)}, 65536);
  ASSERT_TRUE(stream);
  // The watcher is known once a later question of the same peer was answered.
  EXPECT_EQ(show("x").state(), "running");
  plugin_->let_go();
  auto chunk = (*stream)->next(std::chrono::seconds(10));
  ASSERT_TRUE(chunk && *chunk);
  v1::WatchEvent event;
  ASSERT_TRUE(event.ParseFromArray((*chunk)->payload().data(), static_cast<int>((*chunk)->payload().size())));
  EXPECT_EQ(event.task(), "x");
  EXPECT_EQ(event.progress().step(), "work");
  chunk = (*stream)->next(std::chrono::seconds(10));
  ASSERT_TRUE(chunk && !*chunk);
  v1::Run done;
  ASSERT_TRUE(done.ParseFromString((*stream)->reply().payload));
  EXPECT_EQ(done.result(), "ok");
}

TEST_F(TasksTest, a_schedule_that_changes_counts_from_now) {
  open(kEvery);
  clock_.pass(300);
  ASSERT_TRUE(tasks_->apply_settings(R"({"tasks":{"x":{"type":"test","schedule":{"every":{"minutes":1}}}}})"));
  EXPECT_EQ(show("x").state(), "idle") << "nothing was missed";
  clock_.pass(60);
  ASSERT_TRUE(plugin_->wait_for_asked(1));
}

}  // namespace
}  // namespace picket::tasks
