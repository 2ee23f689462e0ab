// Which source is taken, and what happens when one is not good.
#include "unit/update/world_test.hpp"

#include <gmock/gmock.h>

#include <picket/update/v1/sources.pb.h>

namespace picket::update {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using What = Trouble::What;

TEST_F(UpdateTest, the_first_source_that_works_is_taken_and_the_reason_is_told) {
  add_second();
  publish(release(1));
  source_->make_trouble({"", What::unreachable, 0, 1000});
  open();
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(result.source(), "source.b");
  EXPECT_THAT(world_->explain(), HasSubstr("source.a||failed: get 2.root.json: connection refused"));
  const auto status = world_->status();
  EXPECT_EQ(status.sources(0).state(), "resting");
  EXPECT_THAT(status.sources(0).text(), HasSubstr("connection refused"));
  EXPECT_EQ(status.sources(1).state(), "ok");

  source_->forget_asked();
  EXPECT_EQ(world_->run({}, false).result(), "current");
  EXPECT_TRUE(source_->asked().empty()) << "a resting source was asked";
  EXPECT_EQ(world_->run({}, true).result(), "current");
  EXPECT_FALSE(source_->asked().empty()) << "a forced run asks again";
}

TEST_F(UpdateTest, a_server_that_wants_to_be_left_alone_is_for_so_long) {
  add_second();
  publish(release(1));
  source_->refusal_type = "text/plain; retry-after=5000";
  source_->make_trouble({"", What::unreachable, 0, 1000});
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  const auto status = world_->status();
  EXPECT_EQ(status.sources(0).state(), "resting");
  EXPECT_EQ(status.sources(0).next_attempt() - status.sources(0).since(), 5000);
}

// Thousands of devices without databases would else ask a server every 15 minutes that told them all to come back later.
TEST_F(UpdateTest, databases_that_are_lacking_give_no_hurry_while_every_source_rests_and_one_asked_for_it) {
  publish(release(1));
  open();
  source_->make_trouble({"", What::unreachable, 0, 1000});
  ASSERT_EQ(world_->run().result(), "failed");
  EXPECT_TRUE(world_->engine->is_lacking()) << "nobody asked for anything";
  source_->refusal_type = "text/plain; retry-after=5000";
  ASSERT_EQ(world_->run().result(), "failed");
  EXPECT_FALSE(world_->engine->is_lacking());
  world_->clock.wall += 5001;
  EXPECT_TRUE(world_->engine->is_lacking());
  ASSERT_EQ(world_->run().result(), "failed");
  EXPECT_FALSE(world_->engine->is_lacking());
  ASSERT_TRUE(world_->settings({"source.a", "source.b"}));
  EXPECT_TRUE(world_->engine->is_lacking()) << "another one may have them";
}

TEST_F(UpdateTest, a_drive_that_is_plugged_in_later_is_used_at_the_next_check) {
  add_second();
  publish(release(1));
  source_->refusal_type = "text/plain; retry-after=0";
  source_->make_trouble({"", What::unreachable, 0, 1000});
  open();
  EXPECT_EQ(world_->run().source(), "source.b");
  EXPECT_EQ(world_->status().sources(0).state(), "failed");
  source_->no_trouble();
  EXPECT_EQ(world_->run({}, false).source(), "source.a");
  EXPECT_EQ(world_->status().sources(0).state(), "ok");
}

TEST_F(UpdateTest, what_else_a_file_took_and_why_others_were_not_asked_is_told) {
  add_second();
  publish(release(1));
  source_->notes = {"the system's DNS cannot resolve x"};
  open();
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_THAT(world_->explain(), HasSubstr("the system's DNS cannot resolve x"));
  EXPECT_THAT(world_->explain(), HasSubstr("source.b||not asked: source.a comes before it and works"));
}

TEST_F(UpdateTest, a_source_whose_plugin_does_not_run_is_passed_over) {
  publish(release(1));
  open();
  ASSERT_TRUE(world_->settings({"not.there", "source.a"}));
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(result.source(), "source.a");
  EXPECT_THAT(world_->status().sources(0).text(), HasSubstr("not.there does not answer"));
}

TEST_F(UpdateTest, what_each_source_said_is_told_once_by_the_run) {
  publish(release(1));
  open();
  ASSERT_TRUE(world_->settings({"not.there", "nor.this"}));
  EXPECT_THAT(world_->run().text(), AllOf(HasSubstr("no source worked: not.there: "), HasSubstr("; nor.this: ")));
  EXPECT_THAT(world_->status().last().text(), HasSubstr("; nor.this: "));
  EXPECT_EQ(world_->status_of("rules").text(), "no source worked");
  const auto problems = world_->engine->problems();
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].text, "rules: without databases: no source worked");
  EXPECT_EQ(problems[1].text, "the last update was a failure: no source worked");
}

// Of a plugin that downloads for others, such as a distribution point.
TEST_F(UpdateTest, tells_a_plugin_each_sources_own_timeouts_and_shares_with_it_what_is_known_of_their_health) {
  publish(release(1));
  open();
  ASSERT_TRUE(world_->engine->apply_settings(
      R"({"interval_minutes":0,"connect_timeout_seconds":7,"stall_timeout_seconds":8,"sources":[{"name":"a","plugin":"source.a","location":"x","connect_timeout_seconds":2,"stall_timeout_seconds":3,"may_hold_back":true},
          {"name":"b","plugin":"source.a","location":"y"},{"name":"c","plugin":"source.a","location":"z","connect_timeout_seconds":0,"stall_timeout_seconds":5}]})"));
  bus::PeerOptions options;
  options.name = "org.acme.point";
  options.allow.asks = {"picket.update.sources", "picket.update.source_outcome"};
  const auto caller = bus::Caller::attach(*world_->router, std::move(options)).value();
  const auto sources = [&] {
    v1::SourcesReply reply;
    const auto answer = caller->call({.topic = "picket.update.sources", .to = {}, .content_type = {}, .payload = {}, .timeout = std::chrono::seconds(60)});
    EXPECT_TRUE(answer && reply.ParseFromString(answer->payload));
    return reply;
  };
  const auto tell = [&](const std::string& name, const std::string& error, std::optional<std::uint32_t> retry_after) {
    v1::SourceOutcome outcome;
    outcome.set_source(name);
    outcome.set_error(error);
    if (retry_after) outcome.set_retry_after_seconds(*retry_after);
    return caller->call({.topic = "picket.update.source_outcome", .to = {}, .content_type = {}, .payload = outcome.SerializeAsString(), .timeout = std::chrono::seconds(60)});
  };
  auto now = sources();
  ASSERT_EQ(now.sources_size(), 3);
  EXPECT_EQ(now.sources(0).connect_timeout_ms(), 2000u);
  EXPECT_EQ(now.sources(0).stall_timeout_ms(), 3000u);
  EXPECT_EQ(now.sources(1).connect_timeout_ms(), 7000u);
  EXPECT_EQ(now.sources(1).stall_timeout_ms(), 8000u);
  EXPECT_EQ(now.sources(2).connect_timeout_ms(), 5000u);  // 0: as long as for a stall
  EXPECT_TRUE(now.sources(0).may_hold_back());
  EXPECT_FALSE(now.sources(1).may_hold_back());
  for (const auto& source : now.sources()) EXPECT_EQ(source.rests_seconds(), 0u);

  ASSERT_TRUE(tell("a", "too many requests", 5000));
  ASSERT_TRUE(tell("b", "connection refused", std::nullopt));
  now = sources();
  EXPECT_EQ(now.sources(0).rests_seconds(), 5000u);
  EXPECT_TRUE(now.sources(0).rest_is_asked_for());
  EXPECT_EQ(now.sources(0).rests_after(), "too many requests");
  EXPECT_EQ(now.sources(1).rests_seconds(), 300u);
  EXPECT_FALSE(now.sources(1).rest_is_asked_for());
  EXPECT_EQ(world_->status().sources(0).state(), "resting") << "the agent's own runs know it too";
  world_->clock.wall += 301;
  EXPECT_EQ(sources().sources(1).rests_seconds(), 0u);
  ASSERT_TRUE(tell("a", "", std::nullopt));
  EXPECT_EQ(sources().sources(0).rests_seconds(), 0u);
  EXPECT_FALSE(tell("no-such", "x", std::nullopt));
  EXPECT_FALSE(world_->ask<v1::SourceOutcomeReply>("picket.update.source_outcome", v1::SourceOutcome())) << "picketctl does not download";
}

TEST_F(UpdateTest, without_a_source_it_says_so) {
  publish(release(1));
  open();
  ASSERT_TRUE(world_->settings({}));
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_EQ(result.text(), "no update source is enabled in the settings");
}

TEST_F(UpdateTest, a_source_with_older_metadata_than_is_known_is_passed_over) {
  add_second();
  start_with_release_1();
  repository_.offer(release(2));
  repository_.publish();
  source_->serve(repository_);  // b stays at release 1
  ASSERT_EQ(world_->run().result(), "ok");
  source_->make_trouble({"", What::unreachable, 0, 1000});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("source.b: older than what is known"));
  EXPECT_EQ(rule(), "rule of 2 full");
}

TEST_F(UpdateTest, a_tampered_repository_is_refused_and_names_the_role) {
  start_with_release_1();
  repository_.offer(release(2));
  repository_.publish();
  source_->serve(repository_);
  source_->make_trouble({"metadata/timestamp.json", What::flips, 200, 1000});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), HasSubstr("timestamp"));
  EXPECT_EQ(rule(), "rule of 1 full");
}

TEST_F(UpdateTest, an_expired_repository_is_refused_and_names_the_role) {
  publish(release(1));
  open();
  world_->clock.wall = support::TufRepo::start + 40 * support::TufRepo::day;
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.text(), ::testing::ContainsRegex("(root|timestamp) version [0-9]+ expired at "));
}

TEST_F(UpdateTest, a_download_that_was_cut_goes_on_where_it_ended_even_from_another_source) {
  add_second();
  Offer offer;
  offer.single = std::string(900'000, 'q');
  publish(offer);
  source_->make_trouble({"targets/", What::dies, 400'000, 1});
  open();
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text() << world_->explain();
  EXPECT_EQ(source_->sent_of("targets/"), 400'000u);
  EXPECT_EQ(second_->sent_of("targets/"), 500'000u);
  EXPECT_EQ(second_->asked().back().offset, 400'000u);
  EXPECT_EQ(world_->file_of("rules", "database.bin"), offer.single);
  EXPECT_THAT(world_->explain(), HasSubstr("resumed at 400 kB"));
}

TEST_F(UpdateTest, a_download_that_was_cut_goes_on_after_a_restart) {
  Offer offer;
  offer.single = std::string(900'000, 'q');
  publish(offer);
  source_->make_trouble({"targets/", What::dies, 300'000, 1});
  open();
  EXPECT_EQ(world_->run().result(), "failed");
  reopen();
  ASSERT_EQ(world_->run().result(), "ok");
  EXPECT_EQ(source_->sent_of("targets/"), 900'000u);
}

TEST_F(UpdateTest, a_source_that_cannot_resume_is_asked_for_the_whole_file_once) {
  Offer offer;
  offer.single = std::string(900'000, 'q');
  publish(offer);
  source_->make_trouble({"targets/", What::dies, 300'000, 1});
  open();
  EXPECT_EQ(world_->run().result(), "failed");
  source_->make_trouble({"targets/", What::cannot_resume, 0, 1000});
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(world_->file_of("rules", "database.bin"), offer.single);
}

TEST_F(UpdateTest, a_source_that_lacks_the_file_is_replaced_by_one_that_has_it) {
  add_second();
  publish(release(1));
  source_->make_trouble({"targets/", What::missing, 0, 1000});
  open();
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(result.source(), "source.a") << "its metadata were good";
  EXPECT_GT(second_->sent_of("targets/"), 0u);
}

TEST_F(UpdateTest, a_source_whose_metadata_are_good_but_that_gives_no_file_is_not_called_good) {
  add_second();
  publish(release(1));
  source_->make_trouble({"targets/", What::unreachable, 0, 1000});
  open();
  const auto result = world_->run();
  ASSERT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(result.source(), "source.a");
  const auto status = world_->status();
  EXPECT_EQ(status.sources(0).state(), "resting");
  EXPECT_THAT(status.sources(0).text(), HasSubstr("connection refused"));
  EXPECT_EQ(world_->run({}, false).source(), "source.b");
}

TEST_F(UpdateTest, what_a_source_says_at_length_does_not_keep_the_status_from_being_told) {
  add_second();
  publish(release(1));
  for (auto* source : {source_.get(), second_.get()}) {
    source->refusal = "no: " + std::string(100'000, 'x');
    source->make_trouble({"targets/", What::unreachable, 0, 1000});
  }
  open();
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "failed");
  EXPECT_THAT(result.components(0).text(), AllOf(HasSubstr("source.a: "), HasSubstr("xxx...; source.b: ")));
  EXPECT_LT(result.components(0).text().size(), 2500u);
  EXPECT_EQ(world_->status_of("rules").text(), result.components(0).text());
}

// As a drive with a copy of other components: its timestamp, snapshot and targets are as good as anybody's.
TEST_F(UpdateTest, a_source_that_holds_other_components_only_hides_none_that_the_next_one_has) {
  add_second();
  start_with_release_1();
  publish(release(2));
  source_->make_trouble({".rules.json", What::missing, 0, 1000});
  source_->make_trouble({"targets/rules", What::missing, 0, 1000});
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(result.source(), "source.a");
  EXPECT_EQ(rule(), "rule of 2 full");
  EXPECT_THAT(world_->explain(), HasSubstr("rules|source.a||failed: targets delegates to rules, but get "));
  EXPECT_THAT(world_->explain(), HasSubstr("rules|source.b||gave the component's metadata"));
  EXPECT_EQ(world_->status().sources(0).state(), "ok") << "a part of the repository is no fault";
}

TEST_F(UpdateTest, metadata_of_a_component_that_one_source_has_wrong_are_taken_from_the_next) {
  add_second();
  publish(release(1));
  source_->make_trouble({".rules.json", What::flips, 60, 1000});
  open();
  const auto result = world_->run();
  EXPECT_EQ(result.result(), "ok") << result.text();
  EXPECT_EQ(rule(), "rule of 1 full");
  EXPECT_THAT(world_->explain(), HasSubstr("rules|source.b||gave the component's metadata"));
}

}  // namespace
}  // namespace picket::update
