// What a plugin that keeps the rules may rely on: the same in both homes.
#include "conformance/host/host_fixture.hpp"

#include <algorithm>
#include <fstream>

#include "support/leftovers.hpp"

namespace picket::test {

namespace {

constexpr const char* kGood = "org.picket.test.good-echo";
constexpr const char* kGoodC = "org.picket.test.good-c";

class GoodPlugin : public HostFixture, public ::testing::WithParamInterface<Home> {
 protected:
  GoodPlugin() {
    if (GetParam() == Home::in_process)
      for (const auto* id : {kGood, kGoodC}) grant_in_process(id);
  }
};

INSTANTIATE_TEST_SUITE_P(Homes, GoodPlugin, ::testing::Values(Home::in_process, Home::isolated),
                         [](const auto& which) { return which.param == Home::in_process ? "in_process" : "isolated"; });

TEST_P(GoodPlugin, runs_where_it_may) {
  install_neighbour();
  start();
  const auto now = status(kGood);
  EXPECT_EQ(now.state, State::running) << now.text;
  EXPECT_EQ(now.home, GetParam());
  EXPECT_EQ(now.health, plugin_host::Health::healthy);
  EXPECT_EQ(now.version, "1.0.0");
  EXPECT_EQ(now.vendor, "test");
  EXPECT_EQ(now.pid > 0, GetParam() == Home::isolated);
  EXPECT_EQ(now.expected_revision, 1u);
  EXPECT_EQ(now.observed_revision, 1u);
  const auto info = host->info(kGood);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->signed_by, key->public_key().key_id());
  EXPECT_EQ(info->settings_json, "{}");
  EXPECT_EQ(info->path, (folder() / kGood / "1.0.0").native());
  EXPECT_EQ(info->counters.published, 1u);
  EXPECT_FALSE(host->info("org.picket.nobody"));
}

TEST_P(GoodPlugin, answers_requests_of_any_size) {
  install_neighbour();
  start();
  expect_neighbour_answers(50);
  const std::string most(bus::kMaxPayload, 'm');
  const auto answer = ask("test.echo", most);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(*answer, most);
  EXPECT_EQ(ask("test.echo", "").value_or("?"), "");
}

TEST_P(GoodPlugin, hears_events) {
  install_neighbour();
  start();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(publish_event(), bus::kOk);
  // The queue keeps its order: the request comes after the events.
  EXPECT_EQ(ask("test.events").value_or("?"), "100");
}

TEST_P(GoodPlugin, keeps_its_storage_over_a_restart) {
  install_neighbour();
  start();
  EXPECT_EQ(ask("test.starts").value_or("?"), "x");
  support::leave_cut_off_write(options.storage_dir / kGood / "starts");
  ASSERT_TRUE(host->restart(kGood));
  await([](const auto& now) { return now.restarts == 1 && now.state == State::running; }, "restarted", kGood);
  EXPECT_EQ(ask("test.starts").value_or("?"), "xx");
  EXPECT_EQ(support::leftovers_below(options.storage_dir), "");
}

TEST_P(GoodPlugin, streams_within_its_credit) {
  install_neighbour();
  start();
  bus::Request request;
  request.topic = "test.stream";
  const std::string part(3000, 's');
  request.payload = part;
  auto stream = caller->open(request, 65536);
  ASSERT_TRUE(stream) << stream.error().message;
  std::size_t bytes = 0;
  for (;;) {
    auto chunk = (*stream)->next(milliseconds(20'000));
    ASSERT_TRUE(chunk) << chunk.error().message;
    if (!*chunk) break;
    bytes += (*chunk)->payload().size();
  }
  EXPECT_EQ(bytes, 3'000'000u);
  EXPECT_EQ((*stream)->reply().payload, "done");
}

TEST_P(GoodPlugin, sees_that_a_stream_is_not_wanted_any_more) {
  install_neighbour();
  start();
  for (int i = 0; i < 20; ++i) {
    bus::Request request;
    request.topic = "test.stream";
    request.payload = "0123456789";
    auto stream = caller->open(request, 1000);
    ASSERT_TRUE(stream);
    ASSERT_TRUE((*stream)->next(milliseconds(20'000)));
    // destroyed half-way: cancelled
  }
  expect_neighbour_answers(5);
}

TEST_P(GoodPlugin, gets_its_timers) {
  install_neighbour();
  start();
  EXPECT_EQ(ask("test.timer").value_or("?"), "7");
  EXPECT_EQ(ask("test.timer").value_or("?"), "7");
}

TEST_P(GoodPlugin, asks_another_plugin_written_in_c) {
  install_neighbour();
  install({.library = "good_c", .id = kGoodC});
  start();
  ASSERT_EQ(status(kGoodC).state, State::running) << status(kGoodC).text;
  EXPECT_EQ(ask("test.relay", "12345").value_or("?"), "5");
}

TEST_P(GoodPlugin, asks_in_vain_when_nobody_answers) {
  install_neighbour();
  start();
  const auto answer = ask("test.relay", "12345");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable) << answer.error().message;
}

TEST_P(GoodPlugin, takes_settings_while_running) {
  install_neighbour();
  start();
  auto outcome = host->apply(kGood, {R"({"a":2})", 2}, milliseconds(20'000));
  EXPECT_EQ(outcome.observed_revision, 2u);
  EXPECT_EQ(outcome.health, plugin_host::Health::healthy) << outcome.text;
  EXPECT_EQ(status(kGood).restarts, 0u);
  outcome = host->apply(kGood, {R"({"a":"degraded"})", 3}, milliseconds(20'000));
  EXPECT_EQ(outcome.observed_revision, 3u);
  EXPECT_EQ(outcome.health, plugin_host::Health::degraded);
  EXPECT_EQ(outcome.text, "half of it works");
  outcome = host->apply(kGood, {R"({"a":"refuse"})", 4}, milliseconds(20'000));
  EXPECT_EQ(outcome.expected_revision, 4u);
  EXPECT_NE(outcome.observed_revision, 4u);
  EXPECT_EQ(outcome.health, plugin_host::Health::failed);
  EXPECT_NE(outcome.text.find("I do not like these settings"), std::string::npos) << outcome.text;
  outcome = host->apply(kGood, {R"({"a":1})", 5}, milliseconds(20'000));
  EXPECT_EQ(outcome.observed_revision, 5u);
  expect_neighbour_answers(3);
}

TEST_P(GoodPlugin, that_complained_goes_on_complaining_after_a_reload) {
  install_neighbour();
  start();
  auto outcome = host->apply(kGood, {R"({"a":"unwell"})", 2}, milliseconds(20'000));
  EXPECT_EQ(outcome.health, plugin_host::Health::healthy) << "the settings are good: " << outcome.text;
  await([](const auto& now) { return now.health == plugin_host::Health::degraded; }, "degraded", kGood);
  outcome = host->apply(kGood, {R"({"a":1})", 3}, milliseconds(20'000));
  EXPECT_EQ(outcome.observed_revision, 3u);
  EXPECT_EQ(outcome.health, plugin_host::Health::healthy) << outcome.text;
  EXPECT_EQ(status(kGood).health, plugin_host::Health::degraded);
  EXPECT_EQ(status(kGood).text, "the disk is full");
  (void)host->apply(kGood, {R"({"a":"recovered"})", 4}, milliseconds(20'000));
  await([](const auto& now) { return now.health == plugin_host::Health::healthy && now.text.empty(); }, "healthy", kGood);
}

TEST_P(GoodPlugin, without_the_settings_extension_is_started_again_with_new_ones) {
  install({.library = "good_c", .id = kGoodC});
  start();
  const auto outcome = host->apply(kGoodC, {R"({"a":2})", 9}, milliseconds(20'000));
  EXPECT_EQ(outcome.observed_revision, 9u);
  EXPECT_EQ(outcome.health, plugin_host::Health::healthy) << outcome.text;
  EXPECT_EQ(status(kGoodC).restarts, 1u);
  EXPECT_EQ(host->info(kGoodC)->settings_json, R"({"a":2})");
  EXPECT_EQ(ask("test.c", "123").value_or("?"), "3");
}

TEST_P(GoodPlugin, is_left_the_topics_that_the_policy_allows) {
  const std::vector<std::string> all_but_events{"test.echo", "test.starts", "test.relay", "test.more"};
  set_settings(kGood, "{}", 1, {.publishes = std::vector<std::string>{}, .subscribes = std::vector<std::string>{}, .answers = all_but_events, .asks = std::vector<std::string>{"test.echo"}});
  install_neighbour();
  install({.library = "good_c", .id = kGoodC});
  start();
  ASSERT_EQ(status(kGood).state, State::running) << status(kGood).text;
  expect_neighbour_answers(1);
  EXPECT_EQ(ask("test.events").error().code, Code::unavailable) << "an answer that was taken away";
  EXPECT_EQ(ask("test.more").error().code, Code::unavailable) << "the policy adds none";
  EXPECT_EQ(ask("test.relay", "12345").error().code, Code::denied) << "it may not ask test.c";
  EXPECT_EQ(host->info(kGood)->counters.published, 0u) << "its state";
  for (const auto& topic : router->topics())
    if (topic.topic == "test.event") EXPECT_EQ(std::count(topic.subscribers.begin(), topic.subscribers.end(), kGood), 0);
}

TEST_P(GoodPlugin, is_started_again_when_its_topics_change) {
  install_neighbour();
  install({.library = "good_c", .id = kGoodC});
  start();
  EXPECT_EQ(ask("test.relay", "12345").value_or("?"), "5");
  auto outcome = host->apply(kGood, {"{}", 2, {.asks = std::vector<std::string>{"test.echo"}}}, milliseconds(20'000));
  EXPECT_EQ(outcome.observed_revision, 2u) << outcome.text;
  EXPECT_EQ(status(kGood).restarts, 1u);
  EXPECT_EQ(ask("test.relay", "12345").error().code, Code::denied);
  EXPECT_EQ(host->apply(kGood, {R"({"a":1})", 3, {.asks = std::vector<std::string>{"test.echo"}}}, milliseconds(20'000)).observed_revision, 3u);
  EXPECT_EQ(status(kGood).restarts, 1u) << "settings alone need none";
  outcome = host->apply(kGood, {R"({"a":1})", 4}, milliseconds(20'000));
  EXPECT_EQ(outcome.observed_revision, 4u) << outcome.text;
  EXPECT_EQ(ask("test.relay", "12345").value_or("?"), "5") << "given back";
}

TEST_P(GoodPlugin, that_does_not_run_takes_settings_at_its_next_start) {
  options.disabled = {kGood};
  install_neighbour();
  start();
  EXPECT_EQ(status(kGood).state, State::stopped);
  const auto outcome = host->apply(kGood, {"{}", 4}, milliseconds(20'000));
  EXPECT_EQ(outcome.observed_revision, 4u);
  EXPECT_EQ(outcome.health, plugin_host::Health::unknown);
  EXPECT_EQ(host->restart(kGood).error().code, Code::denied);
}

TEST_P(GoodPlugin, is_not_started_with_settings_that_are_wrong) {
  install_neighbour();
  plugin_host::PluginHost::Parts parts{*router, *executor, *timers, *io, core::system_clock(), *log};
  host = plugin_host::PluginHost::make(options, parts, [](const auto&, const auto&) -> Result<plugin_host::Settings> { return fail(Code::invalid, "a: must be a number"); }, {});
  host->start(milliseconds(20'000));
  EXPECT_EQ(status(kGood).state, State::refused);
  EXPECT_NE(status(kGood).text.find("a: must be a number"), std::string::npos);
  // Nobody need come to this computer once the settings are mended.
  const auto outcome = host->apply(kGood, {R"({"a":1})", 2}, milliseconds(20'000));
  EXPECT_EQ(outcome.observed_revision, 2u) << outcome.text;
  await(State::running, kGood);
  EXPECT_EQ(host->info(kGood)->settings_json, R"({"a":1})");
}

TEST_P(GoodPlugin, runs_in_its_newest_version_and_moves_to_a_newer_one) {
  install({.library = "good_echo", .id = kGood, .version = "1.9.0"});
  install({.library = "good_echo", .id = kGood, .version = "1.10.0-beta.2"});
  start();
  EXPECT_EQ(status(kGood).version, "1.10.0-beta.2");
  install({.library = "good_echo", .id = kGood, .version = "1.10.0"});
  ASSERT_TRUE(host->restart(kGood));
  await([](const auto& now) { return now.version == "1.10.0" && now.state == State::running; }, "1.10.0", kGood);
  expect_neighbour_answers(3);
}

TEST_P(GoodPlugin, runs_in_an_older_version_when_the_newest_was_tampered_with) {
  install_neighbour();
  const auto newest = install({.library = "good_echo", .id = kGood, .version = "2.0.0"});
  std::ofstream(newest / "plugin.so", std::ios::app) << "x";
  start();
  EXPECT_EQ(status(kGood).state, State::running);
  EXPECT_EQ(status(kGood).version, "1.0.0");
  EXPECT_TRUE(await_log("version 2.0.0 is refused: plugin.so: sha256 is"));
}

TEST_P(GoodPlugin, runs_in_an_older_version_when_the_newest_needs_what_this_agent_has_not) {
  install_neighbour();
  install({.library = "good_echo", .id = kGood, .version = "2.0.0", .extra = R"("minimum_agent":"99.0.0",)"});
  start();
  EXPECT_EQ(status(kGood).state, State::running);
  EXPECT_EQ(status(kGood).version, "1.0.0");
  EXPECT_TRUE(await_log("version 2.0.0 is refused: needs agent 99.0.0"));
  EXPECT_TRUE(status(kGood).passed_over.starts_with("version 2.0.0 is refused: needs agent 99.0.0")) << status(kGood).passed_over;
  ASSERT_TRUE(host->restart(kGood));
  await([](const auto& now) { return now.state == State::running && !now.passed_over.empty(); }, "restarted, and still passed over", kGood);
  std::filesystem::remove_all(options.folders.front() / kGood / "2.0.0");
  ASSERT_TRUE(host->restart(kGood));
  await([](const auto& now) { return now.state == State::running && now.passed_over.empty(); }, "nothing newer lies there", kGood);
}

TEST_P(GoodPlugin, is_listed_alone_when_a_plain_file_lies_among_the_packages) {
  install_neighbour();
  std::ofstream(options.folders.front() / "readme.txt") << "x";
  start();
  EXPECT_EQ(host->list().size(), 1u);
}

TEST_P(GoodPlugin, says_what_it_demands_and_how_it_is_set) {
  install({.library = "good_echo", .id = kGood, .extra = R"("demands":[{"component":"yara-rules","class":"databases"}],)"});
  start();
  const auto demands = host->demands();
  ASSERT_EQ(demands.size(), 1u);
  EXPECT_EQ(demands[0].component, "yara-rules");
  EXPECT_EQ(demands[0].component_class, "databases");
  EXPECT_EQ(demands[0].plugin, kGood);
  EXPECT_TRUE(demands[0].running);
  const auto schemas = host->schemas();
  ASSERT_EQ(schemas.size(), 1u);
  EXPECT_EQ(schemas[0].schema_json, R"({"type":"object"})");
}

TEST_P(GoodPlugin, installed_later_is_started_by_a_restart) {
  start();
  EXPECT_EQ(host->restart(kGood).error().code, Code::not_found);
  install_neighbour();
  ASSERT_TRUE(host->restart(kGood));
  await(State::running, kGood);
  expect_neighbour_answers(3);
}

TEST_P(GoodPlugin, is_gone_from_the_bus_once_stopped) {
  install_neighbour();
  start();
  host->stop();
  const auto answer = ask("test.echo", "x");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable);
}

}  // namespace

}  // namespace picket::test
