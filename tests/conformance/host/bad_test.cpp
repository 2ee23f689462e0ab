// What becomes of bad plugins, and that nobody else notices.
#include "conformance/host/host_fixture.hpp"

#include <csignal>

#include <sys/types.h>

#include "support/sanitizer.hpp"

namespace picket::test {

namespace {

constexpr const char* kBad = "org.picket.test.bad";

class BadPlugin : public HostFixture {
 protected:
  // The bad one with these settings, beside its neighbour.
  void start_bad(const std::string& library, const std::string& when, Home home = Home::isolated, unsigned callback_ms = 20'000) {
    if (home == Home::in_process) grant_in_process(kBad);
    set_settings(kBad, cat(R"({"when":")", when, R"("})"));
    install_neighbour();
    install({.library = library, .callback_ms = callback_ms});
    start();
    EXPECT_EQ(status(kBad).home, home);
  }
  bool is_alive() { return ask("test.bad").value_or("?") == "alive"; }
};

// In both homes: what a plugin in process can do, and be survived.
class BadPluginAnywhere : public BadPlugin, public ::testing::WithParamInterface<Home> {};
INSTANTIATE_TEST_SUITE_P(Homes, BadPluginAnywhere, ::testing::Values(Home::in_process, Home::isolated),
                         [](const auto& which) { return which.param == Home::in_process ? "in_process" : "isolated"; });

TEST_F(BadPlugin, that_crashes_in_start_is_started_again_and_given_up_at_last) {
  start_bad("bad_crash", "start");
  const auto now = await(State::failed);
  EXPECT_EQ(now.restarts, 3u);
  EXPECT_NE(now.text.find("signal 11"), std::string::npos) << now.text;
  EXPECT_NE(now.text.find("given up after 4 failures"), std::string::npos) << now.text;
  expect_neighbour_answers();
}

TEST_F(BadPlugin, that_crashes_on_a_message_is_started_again) {
  start_bad("bad_crash", "message");
  ASSERT_EQ(status(kBad).state, State::running) << status(kBad).text;
  ASSERT_EQ(publish_event(), bus::kOk);
  await([](const auto& now) { return now.restarts == 1 && now.state == State::running; }, "started again");
  expect_neighbour_answers();
}

TEST_F(BadPlugin, that_crashes_while_it_is_asked_fails_the_request_at_once) {
  start_bad("bad_crash", "message");
  const auto answer = ask("test.bad", "x");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable) << answer.error().message;
  await([](const auto& now) { return now.restarts == 1 && now.state == State::running; }, "started again");
}

TEST_F(BadPlugin, that_crashes_by_itself_is_given_up_and_taken_back_by_hand) {
  start_bad("bad_crash", "timer");
  await(State::failed);
  set_settings(kBad, R"({"when":"never"})", 2);
  ASSERT_TRUE(host->restart(kBad));
  await(State::running);
  EXPECT_TRUE(is_alive());
}

TEST_F(BadPlugin, that_was_given_up_is_started_again_with_other_settings) {
  start_bad("bad_crash", "start");
  await(State::failed);
  const auto outcome = host->apply(kBad, {R"({"when":"never"})", 2}, milliseconds(20'000));
  EXPECT_EQ(outcome.health, plugin_host::Health::unknown) << outcome.text;
  EXPECT_NE(outcome.text.find("is started again with them"), std::string::npos) << outcome.text;
  await(State::running);
  EXPECT_TRUE(is_alive());
}

TEST_F(BadPlugin, that_crashes_in_stop_is_stopped_all_the_same) {
  options.stop_deadline = std::chrono::minutes(5);  // nobody waits for it
  start_bad("bad_crash", "stop");
  ASSERT_EQ(status(kBad).state, State::running);
  ASSERT_TRUE(host->restart(kBad));
  await([](const auto& now) { return now.restarts == 1 && now.state == State::running; }, "started again");
  set_settings(kBad, R"({"when":"never"})", 2);
  ASSERT_TRUE(host->restart(kBad));
  await([](const auto& now) { return now.restarts == 2 && now.state == State::running; }, "started once more");
}

TEST_F(BadPlugin, killed_from_outside_is_started_again) {
  install_neighbour();
  start();
  const auto pid = status("org.picket.test.good-echo").pid;
  ASSERT_GT(pid, 0);
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  await([](const auto& now) { return now.restarts == 1 && now.state == State::running; }, "started again", "org.picket.test.good-echo");
  expect_neighbour_answers(3);
}

TEST_F(BadPlugin, stopped_by_a_signal_is_found_out_by_its_silence) {
  options.ping_period = milliseconds(1000);
  start_bad("bad_hang", "never");
  ASSERT_EQ(::kill(status(kBad).pid, SIGSTOP), 0);
  await([](const auto& now) { return now.restarts >= 1 && now.state == State::running; }, "started again");
  EXPECT_TRUE(await_log("backing-off: does not answer"));
  EXPECT_TRUE(is_alive());
}

TEST_P(BadPluginAnywhere, whose_static_constructor_crashes_is_refused) {
  start_bad("bad_crash_static", "never", GetParam());
  const auto now = await(State::refused);
  EXPECT_NE(now.text.find("loaded"), std::string::npos) << now.text;
  EXPECT_NE(now.text.find("signal 11"), std::string::npos) << now.text;
  expect_neighbour_answers();
}

TEST_P(BadPluginAnywhere, whose_static_constructor_throws_is_refused) {
  start_bad("bad_throw_static", "never", GetParam());
  const auto now = await(State::refused);
  EXPECT_NE(now.text.find("load"), std::string::npos) << now.text;
  expect_neighbour_answers();
}

TEST_P(BadPluginAnywhere, whose_static_constructor_hangs_is_given_up_at_the_deadline) {
  options.start_deadline = milliseconds(6000);
  options.trial_deadline = milliseconds(6000);
  options.restart.tries = 0;
  start_bad("bad_hang_static", "never", GetParam());
  const auto now = await([](const auto& s) { return s.state == State::refused || s.state == State::failed; }, "refused or failed");
  EXPECT_EQ(now.state, GetParam() == Home::in_process ? State::refused : State::failed);
  EXPECT_FALSE(now.text.empty());
  expect_neighbour_answers();
}

TEST_P(BadPluginAnywhere, that_hangs_in_start_is_given_up) {
  options.start_deadline = milliseconds(6000);
  options.restart.tries = 0;
  start_bad("bad_hang", "start", GetParam());
  const auto now = await(State::failed);
  EXPECT_NE(now.text.find("did not start within 6000 ms"), std::string::npos) << now.text;
  EXPECT_EQ(now.text.find("stuck in start") != std::string::npos, GetParam() == Home::in_process) << now.text;
  expect_neighbour_answers();
  if (GetParam() == Home::in_process) {  // it would only hang again
    EXPECT_NE(host->apply(kBad, {R"({"when":"start"})", 2}, milliseconds(20'000)).text.find("takes effect at its next start"), std::string::npos);
    EXPECT_EQ(status(kBad).state, State::failed);
  }
  // In process the thread must come back before the test's executor can end: nothing else may be hurt by that.
  set_settings(kBad, R"({"when":"release"})", 2);
  ASSERT_TRUE(host->restart(kBad));
  await(State::running);
}

TEST_P(BadPluginAnywhere, that_hangs_on_a_message_is_found_out_by_its_budget) {
  options.stop_deadline = milliseconds(1000);
  start_bad("bad_hang", "message", GetParam(), 1500);
  ASSERT_EQ(publish_event(), bus::kOk);
  if (GetParam() == Home::isolated) {
    await([](const auto& now) { return now.restarts == 1 && now.state == State::running; }, "started again");
    EXPECT_TRUE(await_log("backing-off: on_message has been running for"));
    EXPECT_TRUE(is_alive());
  } else {
    const auto now = await([](const auto& s) { return s.health == plugin_host::Health::degraded; }, "degraded");
    EXPECT_EQ(now.state, State::running);
    EXPECT_NE(now.text.find("on_message has been running"), std::string::npos) << now.text;
  }
  EXPECT_EQ(host->info(kBad)->overruns, 1u);
  expect_neighbour_answers();
  if (GetParam() == Home::in_process) {
    // Stopping it takes no longer than the deadline, and another instance may run beside the stuck one.
    set_settings(kBad, R"({"when":"release"})", 2);
    ASSERT_TRUE(host->restart(kBad));
    await([](const auto& s) { return s.restarts == 1 && s.state == State::running; }, "started again");
    EXPECT_TRUE(is_alive());
    expect_neighbour_answers();
  }
}

TEST_P(BadPluginAnywhere, that_refuses_to_stop_is_left_or_ended) {
  options.stop_deadline = milliseconds(300);
  start_bad("bad_hang", "stop", GetParam());
  ASSERT_EQ(status(kBad).state, State::running);
  set_settings(kBad, R"({"when":"release"})", 2);
  ASSERT_TRUE(host->restart(kBad));
  await([](const auto& now) { return now.restarts == 1 && now.state == State::running; }, "started again");
  EXPECT_TRUE(is_alive());
  expect_neighbour_answers();
}

TEST_P(BadPluginAnywhere, that_says_it_will_not_stop_is_stopped) {
  start_bad("bad_stubborn", "", GetParam());
  EXPECT_TRUE(is_alive());
  ASSERT_TRUE(host->restart(kBad));
  await([](const auto& now) { return now.restarts == 1 && now.state == State::running; }, "started again");
  host->stop();
  EXPECT_FALSE(ask("test.bad"));
}

TEST_P(BadPluginAnywhere, that_hangs_in_stop_does_not_hold_up_the_end_of_the_host) {
  options.stop_deadline = milliseconds(300);
  start_bad("bad_hang", "stop", GetParam());
  const auto begin = std::chrono::steady_clock::now();
  host->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  // Lets the stuck thread of the in-process case go, so that the executor of this test can end.
  set_settings(kBad, R"({"when":"release"})", 2);
  host.reset();
  start();
  await(State::running);
}

TEST_P(BadPluginAnywhere, that_throws_through_the_boundary_in_start_fails) {
  start_bad("bad_throw", "start", GetParam());
  const auto now = await(State::failed);
  EXPECT_NE(now.text.find("thrown in start"), std::string::npos) << now.text;
  expect_neighbour_answers();
}

TEST_P(BadPluginAnywhere, that_throws_through_the_boundary_in_create_is_refused) {
  start_bad("bad_throw_create", "", GetParam());
  const auto now = await(State::refused);
  EXPECT_NE(now.text.find("thrown in create"), std::string::npos) << now.text;
  expect_neighbour_answers();
}

TEST_P(BadPluginAnywhere, that_throws_through_the_boundary_in_a_callback_goes_on) {
  start_bad("bad_throw", "message", GetParam());
  for (int i = 0; i < 10; ++i) ASSERT_EQ(publish_event(), bus::kOk);
  EXPECT_TRUE(is_alive());
  EXPECT_TRUE(await_log("threw an exception through the contract"));
  EXPECT_EQ(status(kBad).state, State::running);
  EXPECT_EQ(status(kBad).restarts, 0u);
  expect_neighbour_answers();
}

TEST_P(BadPluginAnywhere, that_throws_in_stop_is_stopped) {
  start_bad("bad_throw", "stop", GetParam());
  ASSERT_TRUE(host->restart(kBad));
  await([](const auto& now) { return now.restarts == 1 && now.state == State::running; }, "started again");
}

TEST_P(BadPluginAnywhere, that_lies_about_topics_is_denied_each) {
  start_bad("bad_lies", "", GetParam());
  const auto got = ask("test.bad");
  ASSERT_TRUE(got) << got.error().message;
  // denied: publish, subscribe, subscribe all, request; not found: an answer nobody asked for; invalid: too large
  EXPECT_EQ(*got, "-2 -2 -2 -2 -4 -1 ");
  EXPECT_NE(status(kBad).health, plugin_host::Health::failed) << status(kBad).text;
  EXPECT_EQ(status(kBad).state, State::running);
  expect_neighbour_answers();
}

TEST_P(BadPluginAnywhere, whose_thread_goes_on_after_stop_is_denied) {
  start_bad("bad_thread", "", GetParam());
  ASSERT_EQ(status(kBad).state, State::running) << status(kBad).text;
  ASSERT_TRUE(host->restart(kBad));
  await([](const auto& now) { return now.restarts == 1 && now.state == State::running; }, "started again");
  if (GetParam() == Home::in_process) {
    const auto told = ask("test.bad");
    ASSERT_TRUE(told) << told.error().message;
    EXPECT_NE(told->find(" others 0"), std::string::npos) << *told;
  }
  expect_neighbour_answers();
}

class FloodingPlugin : public BadPlugin, public ::testing::WithParamInterface<std::tuple<Home, const char*>> {};
INSTANTIATE_TEST_SUITE_P(Homes, FloodingPlugin,
                         ::testing::Combine(::testing::Values(Home::in_process, Home::isolated),
                                            ::testing::Values("publish", "state", "log", "ask", "health", "timers")),
                         [](const auto& which) {
                           return cat(std::get<0>(which.param) == Home::in_process ? "in_process_" : "isolated_", std::get<1>(which.param));
                         });

TEST_P(FloodingPlugin, does_not_drown_its_neighbour) {
  start_bad("bad_flood", std::get<1>(GetParam()), std::get<0>(GetParam()));
  ASSERT_EQ(status(kBad).state, State::running) << status(kBad).text;
  expect_neighbour_answers(30);
  const auto begin = std::chrono::steady_clock::now();
  host->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, options.stop_deadline) << "it did not stop by itself";
}

constexpr const char* kNoLimit = "a sanitizer needs terabytes of address space: no limit on it here, but in the preset quick";

TEST_F(BadPlugin, that_leaks_memory_ends_at_its_limit) {
  if (support::kHasSanitizer) GTEST_SKIP() << kNoLimit;
  start_bad("bad_leak", "never", Home::isolated);
  EXPECT_TRUE(is_alive());
  EXPECT_FALSE(ask("test.bad", "leak"));
  await([](const auto& now) { return now.restarts == 1 && now.state == State::running; }, "started again");
  EXPECT_TRUE(is_alive());
  expect_neighbour_answers();
}

TEST_F(BadPlugin, that_leaks_in_start_is_given_up_with_the_reason) {
  if (support::kHasSanitizer) GTEST_SKIP() << kNoLimit;
  start_bad("bad_leak", "start", Home::isolated);
  const auto now = await(State::failed);
  EXPECT_NE(now.text.find("bad_alloc"), std::string::npos) << now.text;
  expect_neighbour_answers();
}

}  // namespace

}  // namespace picket::test
