// Variants, rollback, pins, demands, cancelling.
#include "unit/update/world_test.hpp"

#include <gmock/gmock.h>

namespace picket::update {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using What = Trouble::What;

TEST_F(UpdateTest, another_variant_is_pending_until_the_next_update_takes_it) {
  publish(release(1));
  publish(release(1, "light"));
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_FALSE(world_->status().change_pending());
  world_->choose_variant("light");
  const auto pending = [&] { return world_->status().change_pending(); };
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!pending() && std::chrono::steady_clock::now() < until) {}
  ASSERT_TRUE(pending());
  EXPECT_EQ(rule(), "rule of 1 full") << "not before the next update";
  EXPECT_EQ(world_->status().variant_reason(), "the test says so");
  EXPECT_THAT(world_->status_of("rules").text(), HasSubstr("changes to variant light at the next update"));
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(rule(), "rule of 1 light");
  EXPECT_FALSE(pending());
  EXPECT_EQ(world_->status_of("rules").variant(), "light");
}

TEST_F(UpdateTest, another_variant_stays_pending_until_it_is_in_force_and_is_again_after_a_rollback) {
  publish(release(1));
  publish(release(1, "light"));
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  world_->choose_variant("light");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!world_->status().change_pending() && std::chrono::steady_clock::now() < until) {}
  publish(release(2));
  publish(release(2, "light"));
  source_->make_trouble({"targets/", What::unreachable});
  ASSERT_EQ(world_->run().result(), "failed");
  EXPECT_TRUE(world_->status().change_pending()) << "its file could not be had";
  EXPECT_THAT(world_->status_of("rules").text(), AllOf(HasSubstr("changes to variant light at the next update; "), HasSubstr("could give")));
  source_->no_trouble();
  v1::RunRequest ahead;
  ahead.set_prefetch(true);
  ahead.set_force_check(true);
  ASSERT_EQ(world_->ask<v1::RunResult>("picket.update.run", ahead).value().result(), "ok");
  EXPECT_TRUE(world_->status().change_pending()) << "it is only at hand";
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 2 light");
  EXPECT_FALSE(world_->status().change_pending());
  ASSERT_EQ(world_->rollback("rules").result(), "ok");
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_TRUE(world_->status().change_pending()) << "the next update goes back to light";
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 1 light");
  EXPECT_FALSE(world_->status().change_pending());
}

TEST_F(UpdateTest, a_variant_whose_choice_is_withdrawn_is_the_default_again) {
  publish(release(1));
  open();
  const auto comes_to = [&](std::string_view variant) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (world_->status().wanted_variant() != variant && std::chrono::steady_clock::now() < until) {}
    return world_->status().wanted_variant() == variant;
  };
  world_->choose_variant("light");
  ASSERT_TRUE(comes_to("light"));
  world_->router->withdraw("picket.update.variant", "chooser");
  EXPECT_TRUE(comes_to("full"));
  EXPECT_EQ(world_->status().variant_reason(), "nobody chose: full is the default");
}

TEST_F(UpdateTest, a_variant_that_does_not_exist_is_replaced_by_the_one_that_does) {
  publish(release(1));
  open();
  world_->choose_variant("light");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (world_->status().wanted_variant() != "light" && std::chrono::steady_clock::now() < until) {}
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_THAT(world_->explain(), HasSubstr("no usable variant light: full is taken"));
  EXPECT_FALSE(world_->status().change_pending()) << "would be pending for ever";
}

TEST_F(UpdateTest, rollback_goes_back_and_the_left_release_waits_for_something_newer) {
  open();
  for (int number = 1; number <= 4; ++number) {
    publish(release(number));
    ASSERT_EQ(world_->run().result(), "ok");
  }
  EXPECT_THAT(world_->status_of("rules").kept(), ElementsAre(3u, 2u, 1u));
  const auto one = world_->rollback("rules");
  ASSERT_EQ(one.result(), "ok") << one.text();
  EXPECT_EQ(one.kind(), "rollback");
  EXPECT_EQ(one.components(0).result(), "rolled-back");
  EXPECT_EQ(rule(), "rule of 3 full");
  EXPECT_TRUE(consumer_->seen().back().request.restored());
  EXPECT_EQ(world_->run().result(), "current");
  EXPECT_EQ(rule(), "rule of 3 full");
  const auto two = world_->rollback("rules", 2);
  ASSERT_EQ(two.result(), "ok") << two.text();
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_EQ(world_->run().result(), "current") << "neither 4, 3 nor 2 comes again";
  EXPECT_THAT(world_->rollback("rules").text(), HasSubstr("1 step back was asked for, no earlier release is kept"));
  publish(release(5));
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 5 full");
}

TEST_F(UpdateTest, names_that_nobody_knows_are_told_once_and_hinder_nothing) {
  auto other = release(1);
  other.component = "lists";
  repository_.offer(other);
  publish(release(1));
  const auto with = [&](std::string_view declined) {
    ASSERT_TRUE(world_->settings({"source.a"}, cat(R"("declined":[{"component":")", declined, R"("}],"pinned":[{"component":"ruels","release":1}],"approved":[{"component":"lists"},{"component":"rules"}])")));
  };
  open();
  with("lists");
  const std::string line = "settings: pinned ruels: no such component is offered, and nobody demands it; is the name right?";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(world_->run().result(), i == 0 ? "ok" : "current");
    EXPECT_THAT(world_->warnings, ElementsAre(line));
    EXPECT_THAT(world_->explain(), HasSubstr(line)) << "each run explains itself";
  }
  with("list");
  EXPECT_EQ(world_->run().result(), "current");
  EXPECT_THAT(world_->warnings, ElementsAre(line, HasSubstr("settings: declined list, pinned ruels: ")));
  world_->warnings.clear();
  world_->demands.push_back({"list", "databases", "scanner", true, true});
  world_->demands.push_back({"ruels", "databases", "scanner", true, true});
  EXPECT_EQ(world_->run().result(), "current");
  EXPECT_THAT(world_->warnings, ElementsAre()) << "somebody demands them";
}

TEST_F(UpdateTest, what_was_rolled_back_is_named_at_once_and_after_a_restart) {
  start_with_release_1();
  for (const int number : {2, 3}) {
    publish(release(number));
    ASSERT_EQ(world_->run().result(), "ok");
  }
  EXPECT_EQ(world_->status_of("rules").text(), "");
  ASSERT_EQ(world_->rollback("rules", 2).result(), "ok");
  constexpr std::string_view note = "release 3: refused: rolled back";  // the newest of both
  EXPECT_EQ(world_->status_of("rules").text(), note);
  ASSERT_EQ(world_->run().result(), "current");
  EXPECT_EQ(world_->status_of("rules").text(), note) << "an update says the same";
  reopen();
  EXPECT_EQ(world_->status_of("rules").text(), note);
  reopen(R"("pinned":[{"component":"rules","release":3}])");
  EXPECT_EQ(world_->status_of("rules").text(), "") << "a pin takes it all the same, and nothing else";
  ASSERT_EQ(world_->run().result(), "ok");
  reopen();
  EXPECT_EQ(world_->status_of("rules").text(), "") << "older than what is in force";
}

TEST_F(UpdateTest, a_rollback_that_a_plugin_refuses_changes_nothing) {
  open();
  for (int number = 1; number <= 2; ++number) {
    publish(release(number));
    ASSERT_EQ(world_->run().result(), "ok");
  }
  consumer_->judge = [](const auto& request) { return request.set().release() == 1 ? std::string("too old for me") : std::string(); };
  const auto result = world_->rollback("rules");
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("too old for me"));
  EXPECT_EQ(rule(), "rule of 2 full");
  EXPECT_TRUE(world_->engine->problems().empty()) << "the updates are as they were";
  EXPECT_EQ(world_->status().last().kind(), "update");
  reopen();
  EXPECT_EQ(world_->status().last().kind(), "update") << "after a restart too";
  EXPECT_TRUE(world_->engine->problems().empty());
  EXPECT_EQ(world_->run().result(), "current");
}

TEST_F(UpdateTest, an_order_that_cannot_be_carried_out_is_no_run) {
  publish(release(1));
  open();
  const auto done = world_->run();
  ASSERT_EQ(done.result(), "ok");
  EXPECT_THAT(world_->rollback("rules", 2).text(), HasSubstr("component rules: 2 steps back were asked for, no earlier release is kept"));
  EXPECT_THAT(world_->rollback("lists").text(), HasSubstr("component lists: nothing is in force"));
  EXPECT_THAT(world_->run({"nope", "neither"}).text(), HasSubstr("component nope: nobody on this computer demands it"));
  EXPECT_TRUE(world_->engine->problems().empty());
  EXPECT_EQ(world_->status().last().run(), done.run());
  EXPECT_EQ(world_->status().state(), "idle");
  EXPECT_EQ(world_->ask<v1::HistoryReply>("picket.update.history", v1::HistoryRequest()).value().runs_size(), 1);
}

TEST_F(UpdateTest, rolling_back_what_was_never_brought_says_so) {
  publish(release(1));
  open();
  EXPECT_THAT(world_->rollback("rules").text(), HasSubstr("nothing is in force"));
  EXPECT_THAT(world_->rollback("../../etc").text(), HasSubstr("component name"));
}

TEST_F(UpdateTest, keeps_as_many_sets_as_the_settings_say) {
  publish(release(1));
  open(R"("keep_sets":2)");
  for (int number = 1; number <= 5; ++number) {
    publish(release(number));
    ASSERT_EQ(world_->run().result(), "ok");
  }
  EXPECT_EQ(sets_on_disk(), 3u);
  EXPECT_THAT(world_->status_of("rules").kept(), ElementsAre(4u, 3u));
}

TEST_F(UpdateTest, a_pin_goes_to_an_earlier_release_and_stays_there) {
  publish(release(1));
  publish(release(2));
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  ASSERT_TRUE(world_->settings({"source.a"}, R"("pinned":[{"component":"rules","release":1}])"));
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 1 full");
  publish(release(3));
  EXPECT_EQ(world_->run().result(), "current");
  EXPECT_EQ(rule(), "rule of 1 full");
}

TEST_F(UpdateTest, a_pin_takes_a_rolled_back_release_again_for_good) {
  open();
  for (int number = 1; number <= 3; ++number) {
    publish(release(number));
    ASSERT_EQ(world_->run().result(), "ok");
  }
  EXPECT_THAT(world_->rollback("rules").components(0).text(), HasSubstr("release 3 is not taken again until something newer appears or a pin names it"));
  EXPECT_THAT(world_->status_of("rules").refused(), ElementsAre(3u));
  ASSERT_TRUE(world_->settings({"source.a"}, R"("pinned":[{"component":"rules","release":3}])"));
  EXPECT_EQ(world_->status_of("rules").pinned(), 3u);
  EXPECT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(rule(), "rule of 3 full");
  EXPECT_THAT(world_->status_of("rules").refused(), ElementsAre());
  EXPECT_THAT(world_->rollback("rules").components(0).text(), HasSubstr("release 3 is taken again by the next update: the settings pin it"));
  EXPECT_EQ(world_->run().result(), "ok");
  ASSERT_TRUE(world_->settings({"source.a"}));
  EXPECT_EQ(world_->status_of("rules").pinned(), 0u);
  EXPECT_EQ(world_->run().components(0).text(), "release 3 (full) is in force already");
}

TEST_F(UpdateTest, only_what_is_demanded_is_brought_each_once) {
  publish(release(1));
  auto other = release(1);
  other.component = "lists";
  publish(other);
  world_->demands.push_back({"rules", "databases", "second", false});
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(source_->sent_of("targets/lists"), 0u);
  std::size_t asked = 0;
  for (const auto& one : source_->asked()) asked += one.path.starts_with("targets/");
  EXPECT_EQ(asked, 1u);
  EXPECT_THAT(world_->status_of("rules").demanded_by(), ElementsAre("scanner", "second"));
  ASSERT_TRUE(world_->settings({"source.a"}, R"("components":["lists"])"));
  EXPECT_EQ(world_->run({"lists"}).result(), "ok");
  EXPECT_THAT(world_->status_of("lists").demanded_by(), ElementsAre("settings"));
  EXPECT_THAT(world_->run({"unknown"}).text(), HasSubstr("nobody on this computer demands it"));
}

TEST_F(UpdateTest, nothing_demanded_is_nothing_done) {
  publish(release(1));
  world_->demands.clear();
  open();
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "current");
  EXPECT_EQ(result.text(), "no component is demanded");
  EXPECT_TRUE(source_->asked().empty());
}

TEST_F(UpdateTest, a_cancelled_update_keeps_what_has_arrived) {
  Offer offer;
  offer.single = std::string(3'000'000, 'q');
  publish(offer);
  source_->make_trouble({"targets/", What::silent, 2'000'000, 1});
  open();
  core::CancelSource cancel;
  source_->before_chunk = [&](std::string_view path, std::uint64_t sent) {
    if (path.starts_with("targets/") && sent >= 1'900'000) cancel.cancel();
  };
  v1::RunRequest order;
  const auto payload = order.SerializeAsString();
  const auto answer = world_->caller->call({.topic = "picket.update.run", .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(60)}, cancel.token());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::cancelled);
  source_->before_chunk = nullptr;
  EXPECT_THAT(world_->rollback("rules").text(), HasSubstr("nothing is in force"));  // answered when the cancelled run has ended
  EXPECT_EQ(world_->status_of("rules").text(), "not brought yet") << "that somebody cancelled is no trouble of the component";
  const auto before = source_->sent_of("targets/");
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text();
  EXPECT_LT(source_->sent_of("targets/") - before, 3'000'000u);
  const auto history = world_->ask<v1::HistoryReply>("picket.update.history", v1::HistoryRequest()).value();
  ASSERT_EQ(history.runs_size(), 2);
  EXPECT_EQ(history.runs(1).result(), "cancelled");
}

TEST_F(UpdateTest, progress_is_streamed_to_who_asked) {
  Offer offer;
  offer.single = std::string(500'000, 'q');
  publish(offer);
  open();
  const auto payload = v1::RunRequest().SerializeAsString();
  auto stream = world_->caller->open({.topic = "picket.update.run", .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(60)}, 1u << 20).value();
  std::vector<std::string> steps;
  std::uint64_t most = 0;
  for (;;) {
    auto chunk = stream->next(std::chrono::seconds(30));
    ASSERT_TRUE(chunk) << chunk.error().message;
    if (!*chunk) break;
    v1::Progress progress;
    ASSERT_TRUE(progress.ParseFromArray((*chunk)->payload().data(), static_cast<int>((*chunk)->payload().size())));
    if (steps.empty() || steps.back() != progress.step()) steps.push_back(progress.step());
    if (progress.step() == "fetch") most = std::max<std::uint64_t>(most, progress.done());
  }
  EXPECT_THAT(steps, ElementsAre("check", "plan", "fetch", "verify", "stage", "activate", "confirm", "done"));
  EXPECT_EQ(most, 500'000u);
}

TEST_F(UpdateTest, freshness_is_measured_from_publication) {
  start_with_release_1();
  EXPECT_TRUE(world_->engine->problems().empty());
  world_->clock.wall = support::TufRepo::start + 73 * 3600;
  EXPECT_EQ(world_->status_of("rules").freshness(), "warning");
  ASSERT_EQ(world_->engine->problems().size(), 1u);
  EXPECT_FALSE(world_->engine->problems()[0].critical);
  world_->clock.wall = support::TufRepo::start + 169 * 3600;
  EXPECT_EQ(world_->status_of("rules").freshness(), "critical");
  EXPECT_TRUE(world_->engine->problems()[0].critical);
  EXPECT_EQ(world_->engine->problems()[0].text, "rules: published 7 days ago");
}

// As many as the schema allows, by names as long as it allows.
TEST_F(UpdateTest, says_what_became_of_a_thousand_demanded_components_in_messages_that_the_bus_carries) {
  publish(release(1));
  std::string names;
  for (int i = 0; i < 1000; ++i) names += cat(i == 0 ? "\"" : ",\"", std::string(60, 'x'), std::to_string(1000 + i), "\"");
  open(cat("\"components\":[", names, "]"));
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "partial") << result.text();
  EXPECT_EQ(result.components_size() + static_cast<int>(result.unnamed()), 1001);
  const auto first = world_->status();
  EXPECT_TRUE(first.more());
  EXPECT_EQ(first.last().run(), result.run());
  EXPECT_EQ(first.components(0).component(), "rules");
}

}  // namespace
}  // namespace picket::update
