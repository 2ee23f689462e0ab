// What makes a task run, and when: the clock, a start, another task, something new, a drive.
#include "tasks/schedule.hpp"
#include "unit/tasks/runner_fixture.hpp"

namespace picket::tasks {
namespace {

constexpr std::string_view kEvery = R"({"tasks":{"x":{"type":"test","schedule":{"every":{"minutes":10}}}}})";

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

// A policy reaches ten thousand running agents in one minute.
TEST_F(TasksTest, at_start_that_comes_to_a_running_agent_waits_for_the_next_start) {
  open("{}");
  clock_.pass(5000);
  constexpr std::string_view late = R"({"tasks":{"x":{"type":"test","random_delay":{"hours":1},"schedule":{"at_start":{"delay":{"seconds":30}}}}}})";
  ASSERT_TRUE(tasks_->apply_settings(late));
  EXPECT_EQ(show("x").next_run(), 0);
  constexpr std::string_view ahead = R"({"tasks":{"x":{"type":"test","schedule":{"at_start":{"delay":{"minutes":90}}}}}})";
  ASSERT_TRUE(tasks_->apply_settings(R"({"tasks":{}})"));
  ASSERT_TRUE(tasks_->apply_settings(ahead));
  EXPECT_EQ(show("x").next_run(), clock_.wall - 5000 + 5400) << "its time has not come yet";
  constexpr std::string_view off = R"({"tasks":{"x":{"type":"test","enabled":false,"schedule":{"at_start":{"delay":{"minutes":90}}}}}})";
  ASSERT_TRUE(tasks_->apply_settings(R"({"tasks":{}})"));
  ASSERT_TRUE(tasks_->apply_settings(off));
  ASSERT_TRUE(tasks_->apply_settings(ahead));
  EXPECT_EQ(show("x").next_run(), clock_.wall - 5000 + 5400) << "nor was it over when the task was switched on";
  const std::int64_t start = clock_.wall;
  open(late);
  EXPECT_GE(show("x").next_run(), start + 30);
  EXPECT_TRUE(plugin_->asked().empty());
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

// The engine tells with the verdict what a verification let through: the task's own word would start others twice.
TEST_F(TasksTest, a_verification_that_passed_starts_what_waits_for_new_updates_once) {
  Plugin engine(*router_, "picket.update.run"), judge(*router_, "picket.update.verdict");
  update::v1::RunResult result;
  result.set_kind("update");
  result.set_result("ok");
  result.add_components()->set_result("updated");
  engine.say_bytes(result.SerializeAsString());
  result.set_kind("verification");
  judge.say_bytes(result.SerializeAsString());
  judge.holds = true;
  open(R"({"tasks":{"copy":{"type":"test","schedule":{"new_updates":{}}},"verify":{"type":"verification","options":{"testers":["test"]}}}})");
  ASSERT_TRUE(run("verify", true));
  ASSERT_TRUE(judge.wait_for_asked(1));
  EXPECT_EQ(show("copy").next_run(), 0) << "before the verdict nobody is told";
  ASSERT_EQ(plugin_->publish("picket.update.finished", result.SerializeAsString()), bus::kOk);
  ASSERT_TRUE(comes_true([&] { return history("copy").size() == 1; }));
  EXPECT_EQ(history("copy").front().trigger(), "new-updates");
  judge.let_go();
  ASSERT_TRUE(comes_true([&] { return history("verify").size() == 1; }));
  EXPECT_TRUE(history("verify").front().news());
  EXPECT_EQ(show("copy").next_run(), 0);
  EXPECT_EQ(history("copy").size(), 1u);
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

TEST_F(TasksTest, the_update_of_a_computer_without_databases_does_not_wait_for_the_interval) {
  Plugin engine(*router_, "picket.update.run");
  is_lacking_ = true;
  open(R"({"tasks":{"other":{"type":"test","schedule":{"automatic":{}}}}})");
  const auto started = clock_.wall.load();
  ASSERT_TRUE(comes_true([&] { return update_at_ >= started && update_at_ <= started + 720; }));
  EXPECT_GE(show("other").next_run(), started + 7200) << "it brings nothing";
  clock_.pass(720);
  ASSERT_TRUE(engine.wait_for_asked(1));
  ASSERT_TRUE(comes_true([&] { return show("update").last().run() == 1; }));
  const auto ran = show("update").last().started();
  ASSERT_TRUE(comes_true([&] { return update_at_ >= ran + 900 && update_at_ <= ran + 990; })) << "it brought nothing";
  is_lacking_ = false;
  ASSERT_TRUE(comes_true([&] { return update_at_ >= ran + 7200 && update_at_ <= ran + 7920; }));
}

TEST_F(TasksTest, an_outbreak_starts_what_it_makes_overdue_after_the_delay_of_this_device) {
  const auto settings = [](std::string_view outbreak) { return cat(R"({"outbreak":)", outbreak, R"(,"tasks":{"x":{"type":"test","random_delay":{"minutes":10},"schedule":{"automatic":{}}}}})"); };
  open(settings("false"));
  ASSERT_TRUE(run("x"));
  clock_.pass(3600);
  ASSERT_TRUE(tasks_->apply_settings(settings("true")));
  const auto delay = static_cast<std::int64_t>(spread_of("pc-1", "x") % 601);
  ASSERT_GT(delay, 0);
  EXPECT_EQ(show("x").next_run(), clock_.wall + delay);
  EXPECT_EQ(show("x").state(), "idle");
  ASSERT_TRUE(tasks_->apply_settings(settings("true")));
  clock_.pass(delay);
  ASSERT_TRUE(plugin_->wait_for_asked(2));
  EXPECT_EQ(plugin_->asked()[1].trigger(), "schedule");
}

TEST_F(TasksTest, a_random_delay_alone_spreads_the_built_in_update_of_an_outbreak_over_more_than_a_tenth) {
  const auto settings = [](std::string_view outbreak) { return cat(R"({"outbreak":)", outbreak, R"(,"tasks":{"update":{"random_delay":{"minutes":20}}}})"); };
  open(settings("false"));
  clock_.pass(3600);
  ASSERT_TRUE(tasks_->apply_settings(settings("true")));
  const auto delay = static_cast<std::int64_t>(spread_of("pc-1", "update") % 1201);
  ASSERT_GT(delay, 90) << "a tenth of 15 minutes";
  EXPECT_TRUE(comes_true([&] { return update_at_ == clock_.wall + delay; }));
}

// It is 08:00.
TEST_F(TasksTest, another_stop_after_costs_neither_a_missed_run_nor_one_that_is_to_follow) {
  const auto settings = [](std::string_view more) {
    return cat(R"({"tasks":{"first":{"type":"test"},"next":{"type":"test","schedule":{"after":{"task":"first","delay":{"minutes":40}}})", more,
               R"(},"x":{"type":"test","schedule":{"daily":{"at":"09:00"}},"random_delay":{"minutes":30})", more, "}}}");
  };
  open(settings(""));   // at 08:00
  tasks_.reset();
  clock_.pass(7200);
  open(settings(""));   // x makes up for 09:00 within half an hour
  ASSERT_TRUE(run("first"));
  ASSERT_TRUE(tasks_->apply_settings(settings(R"(,"stop_after":{"hours":1})")));
  clock_.pass(1800);
  ASSERT_TRUE(comes_true([&] { return history("x").size() == 1; }));
  EXPECT_EQ(history("x").front().trigger(), "missed");
  clock_.pass(600);
  ASSERT_TRUE(comes_true([&] { return history("next").size() == 1; }));
  EXPECT_EQ(history("next").front().trigger(), "after first");
}

TEST_F(TasksTest, a_time_of_day_that_is_given_to_a_task_that_has_run_was_not_missed_before) {
  open(R"({"tasks":{"x":{"type":"test"}}})");
  ASSERT_TRUE(run("x"));
  clock_.pass(3 * 86400);
  constexpr std::string_view daily = R"({"tasks":{"x":{"type":"test","schedule":{"daily":{"at":"03:00"}}}}})";
  ASSERT_TRUE(tasks_->apply_settings(daily));
  EXPECT_EQ(show("x").next_run(), clock_.wall + 19 * 3600);
  ASSERT_TRUE(tasks_->apply_settings(R"({"tasks":{"x":{"type":"test","enabled":false,"schedule":{"daily":{"at":"03:00"}}}}})"));
  clock_.pass(3 * 86400);
  ASSERT_TRUE(tasks_->apply_settings(daily));
  EXPECT_EQ(show("x").next_run(), clock_.wall + 19 * 3600) << "nor while it was switched off";
}

TEST_F(TasksTest, a_schedule_that_changes_counts_from_now) {
  open(kEvery);
  clock_.pass(300);
  ASSERT_TRUE(tasks_->apply_settings(R"({"tasks":{"x":{"type":"test","schedule":{"every":{"minutes":1}}}}})"));
  EXPECT_EQ(show("x").state(), "idle") << "nothing was missed";
  clock_.pass(60);
  ASSERT_TRUE(plugin_->wait_for_asked(1));
}

// A policy shortens the interval, or switches the task on again, on ten thousand devices in one minute.
TEST_F(TasksTest, a_shorter_interval_makes_no_missed_run_of_one_that_was_long_ago) {
  open(R"({"tasks":{"x":{"type":"test","schedule":{"every":{"days":30}}}}})");
  ASSERT_TRUE(run("x"));
  clock_.pass(5 * 86400);
  ASSERT_TRUE(tasks_->apply_settings(kEvery));
  EXPECT_EQ(show("x").next_run(), clock_.wall + 600);
  ASSERT_TRUE(tasks_->apply_settings(R"({"tasks":{"x":{"type":"test","enabled":false,"schedule":{"every":{"minutes":10}}}}})"));
  clock_.pass(5 * 86400);
  ASSERT_TRUE(tasks_->apply_settings(kEvery));
  EXPECT_EQ(show("x").next_run(), clock_.wall + 600);
  clock_.pass(600);
  ASSERT_TRUE(plugin_->wait_for_asked(2));
  EXPECT_EQ(plugin_->asked()[1].trigger(), "schedule");
  ASSERT_TRUE(comes_true([&] { return history("x").size() == 2; }));
  clock_.pass(300);
  ASSERT_TRUE(tasks_->apply_settings(R"({"tasks":{"x":{"type":"test","schedule":{"every":{"minutes":8}}}}})"));
  EXPECT_EQ(show("x").next_run(), clock_.wall + 180) << "and one that is still to come counts from the last start";
}

TEST_F(TasksTest, a_schedule_that_was_changed_while_the_agent_was_stopped_counts_from_its_start) {
  open(R"({"tasks":{"x":{"type":"test","schedule":{"every":{"days":30}}}}})");
  ASSERT_TRUE(run("x"));
  tasks_.reset();
  clock_.pass(5 * 86400);
  open(kEvery);
  EXPECT_EQ(show("x").next_run(), clock_.wall + 600) << "nothing was missed";
  open(R"({"tasks":{"x":{"type":"test","enabled":false,"schedule":{"every":{"minutes":10}}}}})");
  tasks_.reset();
  clock_.pass(5 * 86400);
  open(kEvery);
  EXPECT_EQ(show("x").next_run(), clock_.wall + 600) << "nor while it was switched off";
  EXPECT_EQ(plugin_->asked().size(), 1U);
}

// It is 08:00.
TEST_F(TasksTest, a_policy_that_is_refused_costs_no_run_of_the_schedules_that_it_had_changed) {
  const auto settings = [](std::string_view daily, std::string_view delay, std::string_view start) {
    return cat(R"({"tasks":{"first":{"type":"test"},"next":{"type":"test","schedule":{"after":{"task":"first","delay":{"minutes":)", delay, R"(}}}},"start":{"type":"test","schedule":{"at_start":{"delay":{"minutes":)",
               start, R"(}}}},"x":{"type":"test","schedule":{"daily":{"at":")", daily, R"("}},"random_delay":{"minutes":30}}}})");
  };
  const auto good = settings("09:00", "40", "50"), refused = settings("21:00", "5", "1");
  open(good);
  tasks_.reset();
  clock_.pass(7200);
  open(good);
  ASSERT_TRUE(run("first"));
  const auto missed = show("x").next_run(), next = show("next").next_run(), start = show("start").next_run();
  ASSERT_GT(missed, clock_.wall + 90);
  clock_.pass(70);
  ASSERT_TRUE(tasks_->apply_settings(refused));
  EXPECT_EQ(show("next").next_run(), 0);
  EXPECT_EQ(show("start").next_run(), 0);
  clock_.pass(20);
  ASSERT_TRUE(tasks_->apply_settings(good, true));
  EXPECT_EQ(show("x").next_run(), missed);
  EXPECT_EQ(show("next").next_run(), next);
  EXPECT_EQ(show("start").next_run(), start);
  clock_.pass(3600);
  ASSERT_TRUE(comes_true([&] { return !history("x").empty() && !history("next").empty() && !history("start").empty(); }));
  EXPECT_EQ(history("x").front().trigger(), "missed");
}

TEST_F(TasksTest, what_is_to_follow_a_run_that_ended_while_a_policy_was_tried_follows_also_when_it_is_refused) {
  const auto after = [](std::string_view delay) {
    return cat(R"({"tasks":{"first":{"type":"test"},"next":{"type":"test","schedule":{"after":{"task":"first","delay":{"minutes":)", delay, "}}}}}}");
  };
  open(after("40"));
  ASSERT_TRUE(tasks_->apply_settings(after("5")));
  ASSERT_TRUE(run("first"));
  const auto next = show("next").next_run();
  ASSERT_GT(next, 0);
  ASSERT_TRUE(tasks_->apply_settings(after("40"), true));
  EXPECT_EQ(show("next").next_run(), next);
}

TEST_F(TasksTest, a_policy_that_is_refused_late_costs_no_run_either) {
  open(kEvery);
  ASSERT_TRUE(comes_true([&] { return update_at_ > 0; }));
  const auto next = show("x").next_run(), update = update_at_.load();
  clock_.pass(100);
  update_interval_ = std::chrono::hours(24);
  tasks_->update_interval_changed();
  ASSERT_TRUE(tasks_->apply_settings(R"({"tasks":{"x":{"type":"test","schedule":{"every":{"minutes":8}}}}})"));
  ASSERT_NE(show("x").next_run(), next);
  clock_.pass(400);
  update_interval_ = std::chrono::hours(2);
  tasks_->update_interval_changed(true);
  ASSERT_TRUE(tasks_->apply_settings(kEvery, true));
  EXPECT_EQ(show("x").next_run(), next);
  EXPECT_TRUE(comes_true([&] { return update_at_ == update; }));
}

TEST_F(TasksTest, a_schedule_that_is_given_back_or_comes_back_after_a_run_is_a_new_one) {
  open(kEvery);
  clock_.pass(500);
  ASSERT_TRUE(tasks_->apply_settings(R"({"tasks":{"x":{"type":"test","schedule":{"every":{"minutes":7}}}}})"));
  clock_.pass(10);
  ASSERT_TRUE(tasks_->apply_settings(kEvery));
  EXPECT_EQ(show("x").next_run(), clock_.wall + 600) << "nobody refused anything, and nothing was missed";

  const auto after = [](std::string_view delay) {
    return cat(R"({"tasks":{"first":{"type":"test"},"next":{"type":"test","schedule":{"after":{"task":"first","delay":{"minutes":)", delay, "}}}}}}");
  };
  ASSERT_TRUE(tasks_->apply_settings(after("40")));
  ASSERT_TRUE(run("first"));
  ASSERT_TRUE(tasks_->apply_settings(after("5")));
  clock_.pass(10);
  ASSERT_TRUE(run("next"));
  ASSERT_TRUE(tasks_->apply_settings(after("40"), true));
  EXPECT_EQ(show("next").next_run(), 0) << "it has followed already";
}

TEST_F(TasksTest, a_policy_that_is_refused_brings_back_what_it_took_out_with_its_last_run_and_what_is_to_come) {
  constexpr std::string_view both = R"({"tasks":{"x":{"type":"test","schedule":{"every":{"minutes":10}}},"y":{"type":"test","schedule":{"after":{"task":"x","delay":{"minutes":5}}}}}})";
  open(both);
  const auto done = run("x");
  ASSERT_TRUE(done) << done.error().message;
  const auto began = clock_.wall.load();
  clock_.pass(5);
  ASSERT_TRUE(tasks_->apply_settings("{}"));
  tasks_->update_interval_changed(true);
  ASSERT_TRUE(tasks_->apply_settings(both, true));
  EXPECT_EQ(show("x").last().SerializeAsString(), done->SerializeAsString());
  EXPECT_EQ(show("x").next_run(), began + 600);
  EXPECT_EQ(show("y").next_run(), began + 300);
}

}  // namespace
}  // namespace picket::tasks
