// A set of plugins comes into force whole, each in its way, or what ran before runs again.
#include <atomic>
#include <thread>

#include "conformance/host/host_fixture.hpp"
#include "selfupdate/plugin_sets.hpp"

namespace picket::test {

namespace {

using plugin_host::Health;

constexpr const char* kBad = "org.picket.test.bad";
constexpr const char* kInOrder = R"("exchange":"in-order",)";

class SetsTest : public HostFixture {
 protected:
  SetsTest() { options.replacing = {milliseconds(200), milliseconds(30'000), milliseconds(20'000)}; }

  // `when` is what the plugins of the test read from their settings; the old one is one that it does no harm to.
  void start_old(const char* library, const char* when) {
    install({.library = library});
    set_settings(kBad, cat(R"({"when":")", when, R"("})"));
    start();
    ASSERT_EQ(status().state, State::running) << status().text;
    std::string problem;
    sets_.emplace(*host, selfupdate::Choices::open(folder().parent_path() / "choices", problem), [](const auto&, const auto&) {}, [](const auto&) { return Result<>(); },
                  [this](bool, std::string_view text) { said_.append(text).append("\n"); });
  }
  Result<std::string> activate(const char* library, std::string extra) {
    const auto place = install_apart({.library = library, .version = "2.0.0", .extra = std::move(extra)});
    return sets_->activate("plugins", place.root, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  }
  void expect_the_old_one_is_back() {
    const auto now = await([](const auto& status) { return status.version == "1.0.0" && status.state == State::running; }, "the old version");
    EXPECT_EQ(now.health, Health::healthy) << now.text;
    EXPECT_EQ(ask("test.bad").value_or("?"), "alive");
    EXPECT_EQ(said_, "");
  }

  std::optional<selfupdate::PluginSets> sets_;
  std::string said_;
};

TEST_F(SetsTest, one_that_cannot_stand_beside_itself_is_stopped_and_started) {
  start_old("bad_leak", "never");
  const auto before = status().pid;
  const auto done = activate("bad_health", kInOrder);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_NE(done->find("org.picket.test.bad 2.0.0 was started when the old one had stopped"), std::string::npos) << *done;
  EXPECT_EQ(status().version, "2.0.0");
  EXPECT_NE(status().pid, before);
  EXPECT_EQ(ask("test.bad").value_or("?"), "alive");
  // And back, by the same road.
  const auto back = sets_->activate("plugins", {}, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  ASSERT_TRUE(back) << back.error().message;
  expect_the_old_one_is_back();
}

TEST_F(SetsTest, one_that_does_not_even_load_stops_nobody) {
  start_old("bad_leak", "never");
  const auto before = status().pid;
  const auto done = activate("bad_crash_static", kInOrder);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("signal 11"), std::string::npos) << done.error().message;
  EXPECT_EQ(status().pid, before);
  expect_the_old_one_is_back();
}

TEST_F(SetsTest, one_that_crashes_when_it_is_alone_is_taken_back) {
  start_old("bad_leak", "timer");
  const auto done = activate("bad_crash", kInOrder);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("signal 11"), std::string::npos) << done.error().message;
  expect_the_old_one_is_back();
}

TEST_F(SetsTest, one_that_is_failed_when_it_is_alone_is_taken_back) {
  start_old("bad_crash", "failed");
  const auto done = activate("bad_health", kInOrder);
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("nothing works"), std::string::npos) << done.error().message;
  expect_the_old_one_is_back();
}

TEST_F(SetsTest, one_that_was_well_beside_the_old_one_and_breaks_in_its_place_is_taken_back) {
  start_old("bad_crash", "breaks-when-it-hears");
  // Nothing is heard by one that stands beside another.
  std::atomic<bool> over{false};
  std::thread speaker([&] {
    for (; !over; std::this_thread::sleep_for(milliseconds(5))) (void)publish_event();
  });
  const auto done = activate("bad_health", "");
  over = true;
  speaker.join();
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("in the place of the old version: it broke"), std::string::npos) << done.error().message;
  expect_the_old_one_is_back();
}

}  // namespace

}  // namespace picket::test
