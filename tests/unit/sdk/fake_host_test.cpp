// The fake host itself: what it delivers, what it records, and that it sees each broken rule.
#include <picket/plugin.hpp>
#include <picket/testing/fake_host.hpp>

#include <gmock/gmock.h>

#include <functional>
#include <thread>

namespace {

using picket::plugin::Host;
using picket::testing::FakeHost;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A plugin whose behaviour each test writes in place. One instance at a time.
struct Script {
  std::function<picket_status(Host&)> start;
  std::function<void(Host&)> stop, destroyed;
  std::function<void(Host&, const std::string&)> on_message;
  std::function<void(Host&, std::uint64_t, const std::string&)> on_request;
  std::function<void(Host&, std::uint64_t)> on_timer;
  std::vector<std::string> seen;  // replies, streams, credit, cancellations
};
Script* script = nullptr;

class Puppet {
 public:
  explicit Puppet(Host host) : host_(host) {}
  ~Puppet() {
    if (script->destroyed) script->destroyed(host_);
  }
  picket_status start(std::string_view, std::uint64_t) { return script->start ? script->start(host_) : PICKET_OK; }
  void stop() {
    if (script->stop) script->stop(host_);
  }
  void on_message(const picket::plugin::Message& m) {
    if (script->on_message) script->on_message(host_, std::string(m.payload));
  }
  void on_request(std::uint64_t id, const picket::plugin::Message& m) {
    if (script->on_request) script->on_request(host_, id, std::string(m.payload));
  }
  void on_timer(std::uint64_t id) {
    if (script->on_timer) script->on_timer(host_, id);
  }
  void on_stream(std::uint64_t token, std::string_view chunk) { see("stream", token, chunk); }
  void on_reply(std::uint64_t token, picket_status status, const picket::plugin::Message& m) { see("reply", token, std::to_string(status) + " " + std::string(m.payload)); }
  void on_credit(std::uint64_t id, std::uint64_t bytes) { see("credit", id, std::to_string(bytes)); }
  void on_cancel(std::uint64_t id) { see("cancel", id, ""); }

 private:
  void see(const char* what, std::uint64_t number, std::string_view text) {
    script->seen.push_back(std::string(what) + " " + std::to_string(number) + " " + std::string(text));
  }
  Host host_;
};

}  // namespace

PICKET_PLUGIN("test.puppet", Puppet)

namespace {

class FakeHostTest : public testing::Test {
 protected:
  FakeHostTest() { script = &puppet; }
  ~FakeHostTest() override {
    host.stop();
    host.destroy();
    script = nullptr;
  }
  void begin() {
    host.use(picket_plugin_entry_v1);
    ASSERT_EQ(host.create("test.puppet"), PICKET_OK);
    ASSERT_EQ(host.start(), PICKET_OK) << host.error();
  }
  void expect_violation(const char* text) {
    ASSERT_FALSE(host.violations().empty());
    EXPECT_THAT(host.violations().front(), testing::StartsWith("PLUGIN_MISBEHAVING: "));
    EXPECT_THAT(host.violations().front(), HasSubstr(text));
  }
  Script puppet;
  FakeHost host;
};

TEST_F(FakeHostTest, delivers_only_what_was_subscribed) {
  puppet.start = [](Host& h) { return h.subscribe("a.*"); };
  puppet.on_message = [](Host& h, const std::string& text) { h.publish("b", "key", "text/plain", text); };
  begin();
  EXPECT_TRUE(host.message({.topic = "a.b.c", .payload = "1"}));
  EXPECT_FALSE(host.message({.topic = "a", .payload = "2"}));
  EXPECT_FALSE(host.message({.topic = "ab.c", .payload = "3"}));
  ASSERT_EQ(host.published("b").size(), 1u);
  EXPECT_EQ(host.published("b")[0].payload, "1");
  EXPECT_EQ(host.published("b")[0].key, "key");
  EXPECT_THAT(host.violations(), IsEmpty());
}

TEST_F(FakeHostTest, hands_kept_state_to_who_subscribes_later) {
  puppet.on_message = [](Host& h, const std::string& text) { h.info(text); };
  puppet.on_timer = [](Host& h, std::uint64_t) { h.subscribe("state"); };
  puppet.start = [](Host& h) { return h.set_timer(1, 5); };
  begin();
  host.keep({.topic = "state", .payload = "old", .key = "k"});
  host.keep({.topic = "state", .payload = "new", .key = "k"});
  EXPECT_THAT(host.logs(), IsEmpty());
  host.advance(5);
  ASSERT_EQ(host.logs().size(), 1u);
  EXPECT_EQ(host.logs()[0].text, "new");
}

TEST_F(FakeHostTest, counts_the_credit_of_streams_both_ways) {
  puppet.on_request = [](Host& h, std::uint64_t id, const std::string&) {
    EXPECT_EQ(h.stream_write(id, "12345"), PICKET_OK);
    EXPECT_EQ(h.stream_write(id, "6"), PICKET_E_BUSY);
  };
  puppet.start = [](Host& h) { return h.request("other", "", "", "?", 1000, 7, 3); };
  begin();
  const auto id = host.request({.topic = "q"}, 5);
  EXPECT_EQ(host.answer(id).stream, "12345");
  host.grant(id, 9);
  EXPECT_TRUE(host.stream(7, "abc"));
  EXPECT_FALSE(host.stream(7, "d"));
  EXPECT_TRUE(host.reply(7, PICKET_OK, "done"));
  EXPECT_FALSE(host.reply(7, PICKET_OK, "again"));
  EXPECT_THAT(puppet.seen, ElementsAre("credit 1 9", "stream 7 abc", "reply 7 0 done"));
  EXPECT_THAT(host.violations(), IsEmpty());
}

TEST_F(FakeHostTest, answers_by_itself_as_far_as_credit_goes) {
  host.when_asked("other", [](const picket::testing::Asked& asked) { return picket::testing::Reply{PICKET_OK, "end of " + asked.message.payload, {}, "abcdef"}; });
  puppet.start = [](Host& h) { return h.request("other", "", "", "it", 1000, 7, 4); };
  puppet.on_timer = [](Host& h, std::uint64_t) { h.grant(7, 100); };
  begin();
  EXPECT_THAT(puppet.seen, ElementsAre("stream 7 abcd"));
  host.advance(0);
  EXPECT_THAT(puppet.seen, ElementsAre("stream 7 abcd"));
  puppet.on_message = [](Host& h, const std::string&) { h.grant(7, 100); };
  puppet.on_request = [](Host& h, std::uint64_t id, const std::string&) {
    h.grant(7, 100);
    h.respond(id, PICKET_OK, "", "");
  };
  host.request({.topic = "q"});
  EXPECT_THAT(puppet.seen, ElementsAre("stream 7 abcd", "stream 7 ef", "reply 7 0 end of it"));
}

TEST_F(FakeHostTest, moves_the_clock_by_hand_and_in_order) {
  std::vector<std::uint64_t> fired;
  puppet.start = [](Host& h) {
    h.set_timer(1, 100, 100);
    h.set_timer(2, 150);
    return h.request("nobody", "", "", "", 250, 9);
  };
  puppet.on_timer = [&](Host& h, std::uint64_t id) {
    fired.push_back(id);
    if (id == 2) h.cancel_timer(1);
  };
  begin();
  host.advance(99);
  EXPECT_THAT(fired, IsEmpty());
  host.advance(1000);
  EXPECT_THAT(fired, ElementsAre(1, 2));
  EXPECT_THAT(puppet.seen, ElementsAre(HasSubstr("reply 9 -5")));
  EXPECT_EQ(host.now(), 1099u);
}

TEST_F(FakeHostTest, tells_when_a_request_is_no_longer_wanted) {
  puppet.on_request = [](Host&, std::uint64_t, const std::string&) {};
  begin();
  const auto first = host.request({.topic = "q", .timeout_ms = 50}), second = host.request({.topic = "q"});
  EXPECT_EQ(host.unanswered(), 2u);
  host.advance(50);
  host.cancel(second);
  EXPECT_THAT(puppet.seen, ElementsAre("cancel " + std::to_string(first) + " ", "cancel " + std::to_string(second) + " "));
  EXPECT_EQ(host.unanswered(), 0u);
}

TEST_F(FakeHostTest, shows_a_complaint_until_it_is_taken_back_on_the_same_road) {
  puppet.start = [](Host& h) {
    h.report(PICKET_HEALTH_DEGRADED, "the disk is full");
    return h.observed(1, PICKET_HEALTH_HEALTHY);
  };
  begin();
  EXPECT_EQ(host.shown().health, PICKET_HEALTH_DEGRADED);
  EXPECT_EQ(host.shown().text, "the disk is full");
  puppet.start = [](Host& h) { return h.observed(2, PICKET_HEALTH_DEGRADED, "no such folder"); };
  ASSERT_EQ(host.apply("{}", 2), PICKET_OK);
  EXPECT_EQ(host.shown().text, "no such folder") << "a start begins anew";
  puppet.start = nullptr;
  ASSERT_EQ(host.apply("{}", 3), PICKET_OK);
  EXPECT_EQ(host.shown().health, PICKET_HEALTH_HEALTHY) << "who says nothing is well";
}

TEST_F(FakeHostTest, keeps_values_up_to_its_limit) {
  host.storage_limit(10);
  puppet.start = [](Host& h) {
    EXPECT_EQ(h.store("a", "12345678"), PICKET_OK);
    EXPECT_EQ(h.store("b", "123"), PICKET_E_NO_SPACE);
    EXPECT_EQ(h.load("a"), "12345678");
    EXPECT_EQ(h.load("b"), std::nullopt);
    return h.forget("a");
  };
  begin();
  EXPECT_THAT(host.stored(), IsEmpty());
}

TEST_F(FakeHostTest, fails_calls_when_told_to) {
  puppet.start = [](Host& h) {
    EXPECT_EQ(h.publish("a", "", "", ""), PICKET_E_BUSY);
    EXPECT_EQ(h.store("a", "1"), PICKET_OK);
    return PICKET_OK;
  };
  host.fail_call("publish", PICKET_E_BUSY);
  begin();
  EXPECT_THAT(host.published(), IsEmpty());
  EXPECT_EQ(host.calls("publish"), 1u);
  EXPECT_THAT(host.violations(), IsEmpty());
}

TEST_F(FakeHostTest, tells_what_was_never_stored_from_what_cannot_be_read) {
  puppet.start = [this](Host& h) {
    std::string value = "untouched";
    EXPECT_EQ(h.load("a", value), PICKET_E_NOT_FOUND);
    EXPECT_EQ(h.store("a", "1"), PICKET_OK);
    host.fail_call("get", PICKET_E_IO);
    EXPECT_EQ(h.load("a", value), PICKET_E_IO);
    EXPECT_EQ(h.load("a"), std::nullopt);
    EXPECT_EQ(value, "untouched");
    host.fail_nothing();
    EXPECT_EQ(h.load("a", value), PICKET_OK);
    EXPECT_EQ(value, "1");
    return PICKET_OK;
  };
  begin();
  EXPECT_THAT(host.violations(), IsEmpty());
}

TEST_F(FakeHostTest, lacks_extensions_when_told_to) {
  host.lacks(PICKET_EXT_STORAGE);
  host.shrink(PICKET_EXT_TIMER, 8);
  puppet.start = [](Host& h) {
    EXPECT_EQ(h.store("a", "1"), PICKET_E_UNSUPPORTED);
    std::string value;
    EXPECT_EQ(h.load("a", value), PICKET_E_UNSUPPORTED);
    EXPECT_EQ(h.set_timer(1, 1), PICKET_E_UNSUPPORTED);
    return PICKET_OK;
  };
  begin();
  EXPECT_THAT(host.violations(), IsEmpty());
}

TEST_F(FakeHostTest, sees_a_call_beyond_struct_size) {
  host.shrink(PICKET_EXT_HEALTH, 8);
  puppet.start = [](Host& h) {
    const auto* health = static_cast<const picket_host_health*>(h.raw()->get_extension(h.raw(), PICKET_EXT_HEALTH));
    EXPECT_EQ(health->report(h.raw(), PICKET_HEALTH_HEALTHY, {nullptr, 0}), PICKET_E_UNSUPPORTED);
    return PICKET_OK;
  };
  begin();
  expect_violation("struct_size");
}

TEST_F(FakeHostTest, waits_for_a_thread_of_the_plugin) {
  std::thread worker;
  puppet.start = [&](Host& h) {
    worker = std::thread([h] { h.publish("done", "", "", "yes"); });
    return PICKET_OK;
  };
  puppet.stop = [&](Host&) { worker.join(); };
  begin();
  EXPECT_TRUE(host.wait_for([&] { return !host.published("done").empty(); }));
  EXPECT_FALSE(host.wait_for([] { return false; }, std::chrono::milliseconds(20)));
  host.stop();
  EXPECT_THAT(host.violations(), IsEmpty());
}

// ---- one broken rule each -----------------------------------------------------------------------------------------------------

TEST_F(FakeHostTest, sees_a_call_after_stop) {
  puppet.destroyed = [](Host& h) { EXPECT_EQ(h.publish("a", "", "", ""), PICKET_E_DENIED); };
  begin();
  host.stop();
  host.destroy();
  expect_violation("publish was called after stop");
}

TEST_F(FakeHostTest, sees_an_error_set_from_another_thread) {
  puppet.start = [](Host& h) {
    std::thread([h] { h.fail(PICKET_E_IO, "elsewhere"); }).join();
    return PICKET_OK;
  };
  begin();
  expect_violation("another thread");
}

TEST_F(FakeHostTest, sees_a_failure_without_a_reason) {
  puppet.start = [](Host&) { return PICKET_E_IO; };
  host.use(picket_plugin_entry_v1);
  ASSERT_EQ(host.create("test.puppet"), PICKET_OK);
  EXPECT_EQ(host.start(), PICKET_E_IO);
  expect_violation("without saying why");
}

TEST_F(FakeHostTest, sees_answers_that_are_too_many_or_unasked) {
  puppet.on_request = [](Host& h, std::uint64_t id, const std::string&) {
    EXPECT_EQ(h.respond(id, PICKET_OK, "", ""), PICKET_OK);
    EXPECT_EQ(h.respond(id, PICKET_OK, "", ""), PICKET_E_NOT_FOUND);
    EXPECT_EQ(h.stream_write(id, "late"), PICKET_E_NOT_FOUND);
    EXPECT_EQ(h.respond(id + 1, PICKET_OK, "", ""), PICKET_E_INVALID);
  };
  begin();
  host.request({.topic = "q"});
  EXPECT_THAT(host.violations(), ElementsAre(HasSubstr("twice"), HasSubstr("streams after"), HasSubstr("never given")));
}

TEST_F(FakeHostTest, sees_a_stream_that_spins_without_credit) {
  puppet.on_request = [](Host& h, std::uint64_t id, const std::string&) {
    for (int i = 0; i < 2000; ++i) EXPECT_EQ(h.stream_write(id, "x"), PICKET_E_BUSY);
  };
  begin();
  host.request({.topic = "q"});
  ASSERT_EQ(host.violations().size(), 1u);
  expect_violation("beyond its credit");
}

TEST_F(FakeHostTest, sees_a_token_in_use) {
  puppet.start = [](Host& h) {
    EXPECT_EQ(h.request("a", "", "", "", 100, 1), PICKET_OK);
    EXPECT_EQ(h.request("a", "", "", "", 100, 1), PICKET_E_CONFLICT);
    return PICKET_OK;
  };
  begin();
  expect_violation("in use");
  host.reply(1, PICKET_OK);
  EXPECT_EQ(host.asked().size(), 1u);
}

TEST_F(FakeHostTest, sees_malformed_arguments) {
  puppet.start = [](Host& h) {
    EXPECT_EQ(h.publish("no topic", "", "", ""), PICKET_E_INVALID);
    EXPECT_EQ(h.publish("a", std::string(256, 'k'), "", ""), PICKET_E_INVALID);
    EXPECT_EQ(h.publish("a", "", "", std::string(PICKET_BUS_MAX_PAYLOAD + 1, 'x')), PICKET_E_INVALID);
    EXPECT_EQ(h.publish("a", "", std::string(PICKET_BUS_MAX_CONTENT_TYPE + 1, 't'), ""), PICKET_E_INVALID);
    EXPECT_EQ(h.request("a", "", "", "", 0, 1), PICKET_E_INVALID);
    EXPECT_EQ(h.report(9, ""), PICKET_E_INVALID);
    EXPECT_EQ(h.observed(77, PICKET_HEALTH_HEALTHY), PICKET_E_INVALID);
    EXPECT_EQ(h.store("../x", "1"), PICKET_E_INVALID);
    EXPECT_EQ(h.forget("../x"), PICKET_E_INVALID);
    return PICKET_OK;
  };
  begin();
  EXPECT_EQ(host.violations().size(), 9u);
}

TEST_F(FakeHostTest, holds_calls_against_the_manifest) {
  host.allow({.publishes = std::vector<std::string>{"mine"}, .subscribes = std::vector<std::string>{"all.*"}, .answers = {}, .asks = std::vector<std::string>{}});
  puppet.start = [](Host& h) {
    EXPECT_EQ(h.publish("mine", "", "", ""), PICKET_OK);
    EXPECT_EQ(h.publish("yours", "", "", ""), PICKET_E_DENIED);
    EXPECT_EQ(h.subscribe("all.x.*"), PICKET_OK);
    EXPECT_EQ(h.subscribe("*"), PICKET_E_DENIED);
    EXPECT_EQ(h.request("any", "", "", "", 1, 1), PICKET_E_DENIED);
    return PICKET_OK;
  };
  begin();
  EXPECT_EQ(host.violations().size(), 3u);
}

TEST_F(FakeHostTest, sees_an_event_with_a_key) {
  host.allow({.publishes = std::vector<std::string>{"state", "event"}, .subscribes = {}, .answers = {}, .asks = {}, .events = {"event"}});
  puppet.start = [](Host& h) {
    EXPECT_EQ(h.publish("state", "key", "", ""), PICKET_OK);
    EXPECT_EQ(h.publish("event", "", "", ""), PICKET_OK);
    EXPECT_EQ(h.publish("event", "key", "", ""), PICKET_E_INVALID);
    return PICKET_OK;
  };
  begin();
  EXPECT_EQ(host.violations().size(), 1u);
  expect_violation("event with a key");
}

// No broken rules: a plugin has to live with them.
TEST_F(FakeHostTest, has_the_limits_of_the_agent) {
  puppet.start = [](Host& h) {
    for (int i = 0; i < 4096; ++i) EXPECT_EQ(h.publish("state", std::to_string(i), "", ""), PICKET_OK);
    EXPECT_EQ(h.publish("state", "4096", "", ""), PICKET_E_TOO_LARGE);
    EXPECT_EQ(h.publish("state", "7", "", "new"), PICKET_OK);
    for (std::uint64_t i = 0; i < 1024; ++i) EXPECT_EQ(h.request("a", "", "", "", 100, i), PICKET_OK);
    EXPECT_EQ(h.request("a", "", "", "", 100, 1024), PICKET_E_BUSY);
    for (int i = 0; i < 1024; ++i) EXPECT_EQ(h.subscribe("b" + std::to_string(i)), PICKET_OK);
    EXPECT_EQ(h.subscribe("b1024"), PICKET_E_TOO_LARGE);
    EXPECT_EQ(h.subscribe("b7"), PICKET_OK);
    return h.set_timer(1, 1);
  };
  puppet.on_timer = [](Host& h, std::uint64_t) { EXPECT_EQ(h.request("a", "", "", "", 100, 1024), PICKET_OK); };
  begin();
  host.reply(0, PICKET_OK);
  host.advance(1);
  EXPECT_THAT(puppet.seen, ElementsAre("reply 0 0 "));
  EXPECT_THAT(host.violations(), IsEmpty());
}

TEST(FakeHostLoad, says_why_a_file_does_not_load) {
  FakeHost host;
  EXPECT_FALSE(host.load("/nonexistent/x.so"));
  EXPECT_THAT(host.why(), HasSubstr("/nonexistent/x.so"));
  EXPECT_EQ(host.create("x"), PICKET_E_CONFLICT);
}

TEST(FakeHostLoad, loads_a_plugin_written_in_c) {
  FakeHost host;
  ASSERT_TRUE(host.load(PICKET_C_PLUGIN)) << host.why();
  ASSERT_EQ(host.create("test.bad.plugin"), PICKET_OK);
  ASSERT_EQ(host.start(), PICKET_OK) << host.error();
  EXPECT_EQ(host.answer(host.request({.topic = "q", .payload = "echo"})).payload, "echo");
  EXPECT_EQ(host.apply("{}", 2), PICKET_OK);
  EXPECT_EQ(host.observed().back().revision, 2u);
  EXPECT_THAT(host.violations(), IsEmpty());
}

}  // namespace
