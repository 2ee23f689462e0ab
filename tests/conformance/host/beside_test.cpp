// A new version starts beside the one that runs, and takes its place when it is well; else nothing happened.
#include <atomic>
#include <csignal>
#include <future>
#include <memory>
#include <thread>

#include "conformance/host/host_fixture.hpp"

namespace picket::test {

namespace {

using plugin_host::Beside;
using plugin_host::Place;
namespace fs = std::filesystem;

constexpr const char* kEcho = "org.picket.test.good-echo";
constexpr const char* kBad = "org.picket.test.bad";

class BesideTest : public HostFixture {
 protected:
  BesideTest() { options.replacing = {milliseconds(200), milliseconds(30'000), milliseconds(20'000)}; }

  // It runs as before: the same process.
  void expect_undisturbed(const plugin_host::Status& before) {
    const auto now = status(before.id);
    EXPECT_EQ(now.version, before.version);
    EXPECT_EQ(now.pid, before.pid);
    EXPECT_EQ(now.state, State::running);
    EXPECT_EQ(now.restarts, before.restarts);
    const auto answer = ask("test.bad");
    EXPECT_EQ(answer.value_or("?"), "alive") << answer.error().message;
  }
  [[nodiscard]] static bool is_gone(int pid) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(40);
    while (::kill(pid, 0) == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    return ::kill(pid, 0) != 0;
  }
};

TEST_F(BesideTest, takes_over_while_others_keep_asking_and_no_question_fails) {
  install_neighbour();
  start();
  const auto before = status(kEcho);
  const auto place = install_apart({.library = "good_echo", .id = kEcho, .version = "1.1.0"});
  std::atomic<bool> done{false};
  std::atomic<unsigned> answered{0};
  std::string failed;
  std::thread client([&] {
    for (unsigned i = 0; !done && failed.empty(); ++i) {
      const auto text = std::to_string(i);
      const auto answer = ask("test.echo", text);
      if (!answer) failed = answer.error().message;
      else if (*answer != text) failed = "the wrong answer";
      else ++answered;
    }
  });
  const auto beside = host->start_beside(place);
  const auto then = answered.load();
  const auto taken = host->take_over(kEcho);
  const auto now = status(kEcho);
  const bool old_is_gone = is_gone(before.pid);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  while (answered < then + 50 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  done = true;
  client.join();
  ASSERT_TRUE(beside) << beside.error().message;
  EXPECT_EQ(*beside, Beside::ready);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_EQ(failed, "");
  EXPECT_GE(answered, then + 50);
  EXPECT_TRUE(old_is_gone);
  EXPECT_EQ(now.version, "1.1.0");
  EXPECT_EQ(now.state, State::running);
  EXPECT_EQ(now.observed_revision, 1u);
  EXPECT_NE(now.pid, before.pid);
  EXPECT_EQ(host->info(kEcho)->path, (place.root / kEcho / "1.1.0").native());
  // It is the plugin now: settings reach it, events too, and it can be restarted.
  EXPECT_EQ(host->apply(kEcho, {R"({"x":1})", 2}, milliseconds(20'000)).health, plugin_host::Health::healthy);
  ASSERT_EQ(publish_event(), bus::kOk);
  EXPECT_EQ(ask("test.events").value_or("?"), "1");
}

TEST_F(BesideTest, what_the_old_one_was_asked_it_answers) {
  install_neighbour();
  install({.library = "good_c", .id = "org.picket.test.good-c"});
  start();
  const auto place = install_apart({.library = "good_echo", .id = kEcho, .version = "1.1.0"});
  ASSERT_TRUE(host->start_beside(place));
  // A stream that waits for credit: it is in the middle when the place changes hands.
  bus::Request request;
  request.topic = "test.stream";
  const std::string part(3000, 's');
  request.payload = part;
  auto stream = caller->open(request, 65536);
  ASSERT_TRUE(stream);
  const auto before = status(kEcho).pid;
  ASSERT_TRUE(host->take_over(kEcho));
  EXPECT_EQ(::kill(before, 0), 0) << "ended before it had answered";
  std::size_t bytes = 0;
  for (;;) {
    auto chunk = (*stream)->next(milliseconds(20'000));
    ASSERT_TRUE(chunk) << chunk.error().message;
    if (*chunk == nullptr) break;
    bytes += (*chunk)->payload().size();
  }
  EXPECT_EQ(bytes, 3'000'000u);
  EXPECT_TRUE(is_gone(before));
}

struct Bad {
  const char* name;
  PackageSpec spec;
  const char* when;
  const char* said;
};

class BadVersion : public BesideTest, public ::testing::WithParamInterface<Bad> {};

INSTANTIATE_TEST_SUITE_P(All, BadVersion, ::testing::Values(
  Bad{"crashes_when_loaded", {.library = "bad_crash_static"}, "never", "while it was loaded: killed by signal 11"},
  Bad{"crashes_at_start", {.library = "bad_crash"}, "start", "killed by signal 11"},
  Bad{"crashes_soon", {.library = "bad_crash"}, "timer", "killed by signal 11"},
  Bad{"hangs_at_start", {.library = "bad_hang"}, "start", "start"},
  Bad{"is_failed", {.library = "bad_health"}, "failed", "nothing works"},
  Bad{"is_degraded", {.library = "bad_health"}, "degraded", "half of it works"},
  Bad{"fails_while_it_is_watched", {.library = "bad_health"}, "fails-later", "it broke"},
  Bad{"is_not_signed", {.library = "bad_health", .sign = false}, "never", "plugin.json.dsse"},
  Bad{"needs_a_newer_agent", {.library = "bad_health", .extra = R"("minimum_agent":"999.0.0",)"}, "never", "needs agent 999.0.0"}),
  [](const auto& which) { return which.param.name; });

TEST_P(BadVersion, is_not_taken_and_the_old_one_goes_on) {
  install({.library = "bad_health"});  // well with these settings
  const std::string_view when = GetParam().when;
  if (when == "start" && GetParam().name == std::string_view("hangs_at_start")) options.start_deadline = milliseconds(6000);
  if (when == "degraded") options.replacing.healthy_within = milliseconds(1500);
  if (when == "timer" || when == "fails-later") options.replacing.prove_for = milliseconds(5000);
  start();
  const auto before = status();
  ASSERT_EQ(before.state, State::running) << before.text;
  auto spec = GetParam().spec;
  spec.version = "2.0.0";
  set_settings(kBad, cat(R"({"when":")", GetParam().when, R"("})"));
  const auto beside = host->start_beside(install_apart(spec));
  ASSERT_FALSE(beside);
  EXPECT_NE(beside.error().message.find(GetParam().said), std::string::npos) << beside.error().message;
  EXPECT_NE(beside.error().message.find(kBad), std::string::npos) << beside.error().message;
  EXPECT_FALSE(host->take_over(kBad));
  expect_undisturbed(before);
}

TEST_F(BesideTest, one_that_gets_well_in_time_is_taken) {
  install({.library = "bad_health"});
  start();
  set_settings(kBad, R"({"when":"later"})");
  const auto beside = host->start_beside(install_apart({.library = "bad_health", .version = "2.0.0"}));
  ASSERT_TRUE(beside) << beside.error().message;
  ASSERT_TRUE(host->take_over(kBad));
  EXPECT_EQ(status().health, plugin_host::Health::healthy);
}

TEST_F(BesideTest, one_that_dies_between_ready_and_taking_over_is_not_taken) {
  install({.library = "bad_health"});
  start();
  const auto before = status();
  ASSERT_TRUE(host->start_beside(install_apart({.library = "bad_health", .version = "2.0.0"})));
  (void)ask("test.bad", "break", milliseconds(20'000), bus::standby_address(kBad));
  ASSERT_TRUE(await_log("it broke"));
  EXPECT_FALSE(host->take_over(kBad));
  expect_undisturbed(before);
}

TEST_F(BesideTest, one_that_is_not_wanted_any_more_ends) {
  install({.library = "bad_health"});
  start();
  const auto before = status();
  const auto place = install_apart({.library = "bad_health", .version = "2.0.0"});
  ASSERT_TRUE(host->start_beside(place));
  EXPECT_EQ(host->start_beside(place).error().code, Code::busy);
  host->end_beside(kBad);
  EXPECT_FALSE(host->take_over(kBad));
  expect_undisturbed(before);
  EXPECT_TRUE(host->start_beside(place));
}

TEST_F(BesideTest, a_plugin_that_is_down_is_helped_by_a_new_version) {
  install({.library = "bad_crash"});
  set_settings(kBad, R"({"when":"start"})");
  start();
  await(State::failed);
  ASSERT_TRUE(host->start_beside(install_apart({.library = "bad_health", .version = "2.0.0"})).map([](Beside) {})
                  .map_error([](const Error& e) { ADD_FAILURE() << e.message; return e; }).has_value());
  ASSERT_TRUE(host->take_over(kBad));
  EXPECT_EQ(status().state, State::running);
  EXPECT_EQ(ask("test.bad").value_or("?"), "alive");
}

TEST_F(BesideTest, who_asked_for_a_restart_that_hangs_hears_of_the_version_that_takes_over) {
  options.start_deadline = milliseconds(60'000);
  install({.library = "bad_hang", .callback_ms = 60'000});
  start();
  set_settings(kBad, R"({"when":"start"})");
  const auto settled = std::make_shared<std::promise<plugin_host::Status>>();
  auto answer = settled->get_future();
  ASSERT_TRUE(host->restart(kBad, [settled](const auto& now) { settled->set_value(now); }));
  ASSERT_TRUE(await_log("hangs at start"));
  set_settings(kBad, "{}");
  ASSERT_TRUE(host->start_beside(install_apart({.library = "bad_health", .version = "2.0.0"})));
  ASSERT_TRUE(host->take_over(kBad));
  ASSERT_EQ(answer.wait_for(std::chrono::seconds(40)), std::future_status::ready);
  EXPECT_EQ(answer.get().version, "2.0.0");
}

TEST_F(BesideTest, a_plugin_that_was_not_there_comes) {
  install_neighbour();
  start();
  ASSERT_TRUE(host->start_beside(install_apart({.library = "bad_health"})));
  EXPECT_FALSE(ask("test.bad"));
  ASSERT_TRUE(host->take_over(kBad));
  EXPECT_EQ(ask("test.bad").value_or("?"), "alive");
}

TEST_F(BesideTest, inside_picketd_it_waits_for_the_next_start) {
  grant_in_process(kEcho);
  grant_in_process(kBad);
  install_neighbour();
  start();
  const auto place = install_apart({.library = "good_echo", .id = kEcho, .version = "1.1.0"});
  const auto beside = host->start_beside(place);
  ASSERT_TRUE(beside) << beside.error().message;
  EXPECT_EQ(*beside, Beside::at_next_start);
  ASSERT_TRUE(host->take_over(kEcho));
  EXPECT_EQ(status(kEcho).version, "1.0.0");
  EXPECT_EQ(status(kEcho).pending, "1.1.0");
  expect_neighbour_answers(5);
  stop();
  chosen = {place};
  start();
  EXPECT_EQ(status(kEcho).version, "1.1.0");
  EXPECT_EQ(status(kEcho).pending, "");
  // What does not even load is found out before.
  const auto bad = host->start_beside(install_apart({.library = "bad_crash_static"}));
  EXPECT_FALSE(bad);
}

TEST_F(BesideTest, only_what_was_chosen_is_loaded_whatever_else_lies_there) {
  install_neighbour();
  const auto place = install_apart({.library = "good_echo", .id = kEcho, .version = "1.1.0"});
  install_apart({.library = "good_echo", .id = kEcho, .version = "1.2.0"});
  chosen = {place};
  start();
  EXPECT_EQ(status(kEcho).version, "1.1.0");
  EXPECT_EQ(host->start_beside(place).value_or(Beside::ready), Beside::not_needed);
  // Back to what the administrator installed.
  host->choose({});
  EXPECT_EQ(host->start_beside({kEcho, "", {}}).value_or(Beside::not_needed), Beside::ready);
  ASSERT_TRUE(host->take_over(kEcho));
  EXPECT_EQ(status(kEcho).version, "1.0.0");
}

TEST_F(BesideTest, a_newer_one_that_the_administrator_installed_stays) {
  install({.library = "good_echo", .id = kEcho, .version = "3.0.0"});
  start();
  const auto place = install_apart({.library = "good_echo", .id = kEcho, .version = "2.0.0"});
  EXPECT_EQ(host->start_beside(place).value_or(Beside::ready), Beside::not_needed);
  EXPECT_EQ(status(kEcho).version, "3.0.0");
}

TEST_F(BesideTest, a_newer_one_that_this_agent_cannot_run_stands_in_nobodys_way) {
  install({.library = "good_echo", .id = kEcho, .version = "3.0.0", .extra = R"("minimum_agent":"99.0.0",)"});
  start();
  ASSERT_EQ(status(kEcho).state, State::refused);
  const auto beside = host->start_beside(install_apart({.library = "good_echo", .id = kEcho, .version = "2.0.0"}));
  ASSERT_TRUE(beside) << beside.error().message;
  EXPECT_EQ(*beside, Beside::ready);
  ASSERT_TRUE(host->take_over(kEcho));
  EXPECT_EQ(status(kEcho).version, "2.0.0");
  EXPECT_EQ(status(kEcho).state, State::running);
}

}  // namespace

}  // namespace picket::test
