#include "bus/wire/bridge.hpp"

#include <future>

#include "runtime/io_loop.hpp"
#include "unit/bus/fixture.hpp"
#include "unit/bus/wire/remote.hpp"

namespace picket::bus::wire {
namespace {

using testing::HasSubstr;

class BridgeTest : public BusTest {
 protected:
  ~BridgeTest() override {
    bridge.reset();
    local.reset();
  }
  void SetUp() override {
    local = attach(recorder, "local", {.publishes = {{"e", Kind::event}, {"s", Kind::state}}, .subscribes = {"*"}, .answers = {"q"}, .asks = {"*"}});
  }
  void build(AllowList allow = {.publishes = {{"c.e", Kind::event}}, .subscribes = {"e", "s"}, .answers = {"c.q"}, .asks = {"q"}}, QueueLimits limits = {},
             BridgeOptions options = {}) {
    auto pair = socket_pair();
    ASSERT_TRUE(pair) << pair.error().message;
    remote.emplace(std::move(pair->second));
    options.on_closed = [this](const Error& why) { closed.set_value(why); };
    auto made = Bridge::make(*router, {.name = "child", .allow = std::move(allow), .queue = limits}, *loop, std::move(pair->first), std::move(options));
    ASSERT_TRUE(made) << made.error().message;
    bridge = std::move(*made);
  }
  void subscribe(std::string_view filter) {
    remote->say({.type = Type::subscribe, .token = 1, .topic = filter});
    const auto result = remote->hear(Type::result);
    EXPECT_EQ(result.token, 1U);
    EXPECT_EQ(result.status, kOk);
  }
  [[nodiscard]] Error why_closed() {
    auto future = closed.get_future();
    if (future.wait_for(kPatience) != std::future_status::ready) return {Code::internal, "not closed"};
    return future.get();
  }

  std::unique_ptr<runtime::IoLoop> loop = runtime::IoLoop::make("test-loop");
  Recorder recorder;
  std::unique_ptr<Peer> local;
  std::unique_ptr<Bridge> bridge;
  std::optional<Remote> remote;
  std::promise<Error> closed;
};

TEST_F(BridgeTest, carries_messages_both_ways) {
  build();
  ASSERT_EQ(local->subscribe("c.e"), kOk);
  remote->say({.type = Type::publish, .topic = "c.e", .content_type = "t", .text = "forged sender", .payload = "from the child"});
  ASSERT_TRUE(recorder.wait_for("message"));
  EXPECT_EQ(recorder.heard()[0].payload(), "from the child");
  EXPECT_EQ(recorder.heard()[0].message->sender(), "child");
  ASSERT_EQ(local->publish("s", "key", "", "kept"), kOk);
  remote->say({.type = Type::subscribe, .token = 1, .topic = "s"});
  const auto message = remote->hear(Type::message);  // what is kept may come before the subscription's result
  EXPECT_EQ(message.topic, "s");
  EXPECT_EQ(message.key, "key");
  EXPECT_EQ(message.number, 0U);
  EXPECT_EQ(message.text, "local");
  EXPECT_EQ(message.payload, "kept");
}

TEST_F(BridgeTest, the_allow_list_holds_for_what_arrives) {
  build();
  remote->say({.type = Type::publish, .token = 5, .topic = "e"});
  EXPECT_EQ(remote->hear(Type::result).status, kDenied);
  remote->say({.type = Type::subscribe, .token = 6, .topic = "*"});
  EXPECT_EQ(remote->hear(Type::result).status, kDenied);
  remote->say({.type = Type::request, .token = 7, .number = 1000, .topic = "x"});
  const auto reply = remote->hear(Type::reply);
  EXPECT_EQ(reply.token, 7U);
  EXPECT_EQ(reply.status, kDenied);
  EXPECT_EQ(reply.payload, "request to x: not allowed");
  EXPECT_EQ(bridge->peer().counters().denied, 3U);
  remote->say({.type = Type::unsubscribe, .token = 8, .topic = "never"});
  EXPECT_EQ(remote->hear(Type::result).status, kNotFound);
}

TEST_F(BridgeTest, a_child_asks_and_reads_a_stream) {
  build();
  recorder.answer = [&](RequestId id, const MessagePtr& m) {
    EXPECT_EQ(m->payload(), "?");
    EXPECT_EQ(local->stream_write(id, "chunk"), kOk);
    EXPECT_EQ(local->stream_write(id, "x"), kBusy);
  };
  remote->say({.type = Type::request, .status = 5, .token = 3, .number = 30'000, .topic = "q", .payload = "?"});
  auto frame = remote->hear(Type::stream_in);
  EXPECT_EQ(frame.token, 3U);
  EXPECT_EQ(frame.payload, "chunk");
  remote->say({.type = Type::grant, .token = 3, .number = 2});
  ASSERT_TRUE(recorder.wait([](const auto& heard) { return !heard.empty() && heard.back().what == "credit" && heard.back().number == 2; }));
  EXPECT_EQ(local->stream_write(recorder.heard("request")[0].id, "y"), kOk);
  EXPECT_EQ(local->respond(recorder.heard("request")[0].id, kOk, "t", "!"), kOk);
  EXPECT_EQ(remote->hear(Type::stream_in).payload, "y");
  frame = remote->hear(Type::reply);
  EXPECT_EQ(frame.token, 3U);
  EXPECT_EQ(frame.status, kOk);
  EXPECT_EQ(frame.payload, "!");
  EXPECT_EQ(frame.content_type, "t");
}

TEST_F(BridgeTest, a_request_that_fails_at_once_is_replied_to) {
  build({.asks = {"*"}});
  remote->say({.type = Type::request, .token = 1, .number = 1000, .topic = "nobody"});
  EXPECT_EQ(remote->hear(Type::reply).payload, "request to nobody: nobody answers it");
  remote->say({.type = Type::request, .token = 1, .number = 0, .topic = "q"});
  EXPECT_EQ(remote->hear(Type::reply).status, kInvalid);
  remote->say({.type = Type::request, .token = 1, .number = ~0ULL, .topic = "q"});
  EXPECT_EQ(remote->hear(Type::reply).status, kInvalid);
  remote->say({.type = Type::request, .token = 1, .number = 20, .topic = "q"});
  EXPECT_EQ(remote->hear(Type::reply).status, status_of(Code::timeout));
  remote->say({.type = Type::request, .token = 1, .number = 20'000, .topic = "q"});
  remote->say({.type = Type::cancel, .token = 1});
  EXPECT_EQ(remote->hear(Type::reply).status, status_of(Code::cancelled));
}

TEST_F(BridgeTest, a_conflict_says_which_of_its_two_causes_it_is) {
  build({.asks = {"*"}});
  remote->say({.type = Type::request, .token = 1, .number = 20'000, .topic = "q"});
  remote->say({.type = Type::request, .token = 1, .number = 20'000, .topic = "q"});
  EXPECT_EQ(remote->hear(Type::reply).payload, "request to q: its token is in use by another request that is open");
  Recorder other;
  const auto second = attach(other, "second", {.answers = {"q"}});
  remote->say({.type = Type::request, .token = 2, .number = 20'000, .topic = "q"});
  EXPECT_EQ(remote->hear(Type::reply).payload, "request to q: several answer it (local, second); name one");
}

TEST_F(BridgeTest, a_child_answers_within_its_credit) {
  build();
  ASSERT_EQ(local->request({.topic = "c.q", .payload = "?", .timeout = 20s, .credit = 6}, 1), kOk);
  const auto asked = remote->hear(Type::request_in);
  EXPECT_EQ(asked.payload, "?");
  EXPECT_EQ(asked.text, "local");
  EXPECT_GT(asked.number, 1000U);
  const auto id = asked.token;
  EXPECT_EQ(remote->hear(Type::credit).number, 6U);
  remote->say({.type = Type::stream_write, .token = id, .payload = "abcd"});
  ASSERT_TRUE(recorder.wait_for("stream"));
  ASSERT_EQ(local->grant(1, 10), kOk);
  EXPECT_EQ(remote->hear(Type::credit).number, 16U);  // in all, what was written included
  remote->say({.type = Type::stream_write, .token = id, .payload = "0123456789"});
  remote->say({.type = Type::respond, .status = kOk, .token = id, .content_type = "t", .payload = "end"});
  ASSERT_TRUE(recorder.wait_for("reply"));
  EXPECT_EQ(recorder.heard("stream")[1].payload(), "0123456789");
  EXPECT_EQ(recorder.heard("reply")[0].payload(), "end");
  // What is no longer open is ignored, not punished: the child could not know.
  remote->say({.type = Type::respond, .token = id});
  remote->say({.type = Type::stream_write, .token = id, .payload = "late"});
  subscribe("e");
}

TEST_F(BridgeTest, more_than_the_credit_ends_the_connection) {
  build();
  ASSERT_EQ(local->request({.topic = "c.q", .timeout = 20s, .credit = 3}, 1), kOk);
  const auto id = remote->hear(Type::request_in).token;
  (void)remote->hear(Type::credit);
  remote->say({.type = Type::stream_write, .token = id, .payload = "four"});
  EXPECT_THAT(std::string(remote->hear(Type::goodbye).text), HasSubstr("credit"));
  EXPECT_EQ(why_closed().code, Code::invalid);
  ASSERT_TRUE(recorder.wait_for("reply"));
  EXPECT_EQ(recorder.heard("reply")[0].number, kUnavailable);
}

TEST_F(BridgeTest, chunks_for_a_full_queue_wait_and_arrive_in_order_before_the_answer) {
  build();
  Recorder slow;
  const auto asker = attach(slow, "slow", {.asks = {"*"}}, {.messages = 100, .bytes = 200'000});
  ASSERT_EQ(asker->request({.topic = "c.q", .timeout = 60s, .credit = 1ULL << 40}, 1), kOk);
  const auto id = remote->hear(Type::request_in).token;
  slow.hold();
  std::uint64_t allowed = remote->hear(Type::credit).number;
  EXPECT_EQ(allowed, 1U << 20);  // bounded, whatever the asker grants
  const std::string chunk(100'000, 'x');
  std::uint64_t written = 0;
  int chunks = 0;
  for (; written + chunk.size() <= allowed; written += chunk.size(), ++chunks) remote->say({.type = Type::stream_write, .token = id, .payload = chunk});
  remote->say({.type = Type::respond, .token = id, .payload = "end"});
  subscribe("e");  // all of it has been taken in by now
  EXPECT_TRUE(slow.heard("reply").empty());
  EXPECT_LE(asker->counters().queued_bytes, 200'100U);
  slow.let_go();
  ASSERT_TRUE(slow.wait_for("reply"));
  std::uint64_t got = 0;
  for (const auto& one : slow.heard("stream")) got += one.payload().size();
  EXPECT_EQ(got, written);
  EXPECT_EQ(slow.heard().back().what, "reply");
}

TEST_F(BridgeTest, cancellation_and_the_childs_end_reach_the_other_side) {
  build();
  ASSERT_EQ(local->request({.topic = "c.q", .timeout = 20s}, 1), kOk);
  const auto id = remote->hear(Type::request_in).token;
  ASSERT_EQ(local->cancel(1), kOk);
  EXPECT_EQ(remote->hear(Type::cancel_in).token, id);
  ASSERT_TRUE(recorder.wait_for("reply"));
  ASSERT_EQ(local->request({.topic = "c.q", .timeout = 20s}, 2), kOk);
  (void)remote->hear(Type::request_in);
  remote->hang_up();
  EXPECT_EQ(why_closed().code, Code::unavailable);
  ASSERT_TRUE(recorder.wait_for("reply", 2));
  EXPECT_EQ(recorder.heard("reply")[1].number, kUnavailable);
  EXPECT_EQ(local->request({.topic = "c.q"}, 3), kUnavailable);
}

TEST_F(BridgeTest, what_a_child_said_before_it_ended_is_heard) {
  build();
  ASSERT_EQ(local->subscribe("c.e"), kOk);
  subscribe("e");
  // It goes with frames unread, which makes the socket say "reset" before it gives what was sent.
  for (int i = 0; i < 10; ++i) ASSERT_EQ(local->publish("e", "", "", "unread"), kOk);
  for (int i = 0; i < 5; ++i) remote->say({.type = Type::publish, .topic = "c.e", .payload = std::to_string(i)});
  remote->hang_up();
  EXPECT_EQ(why_closed().code, Code::unavailable);
  EXPECT_TRUE(recorder.wait_for("message", 5));
}

TEST_F(BridgeTest, a_child_that_does_not_read_makes_its_publishers_busy_and_costs_bounded_memory) {
  build({.subscribes = {"e"}}, {.messages = 50, .bytes = 1 << 20});
  subscribe("e");
  const std::string payload(1000, 'x');
  int accepted = 0;
  while (local->publish("e", "", "", payload) == kOk) {
    ASSERT_LT(++accepted, 20'000);
    std::this_thread::yield();
  }
  // Once it reads, everything that was accepted arrives.
  for (int i = 0; i < accepted; ++i) ASSERT_EQ(remote->hear().type, Type::message) << i;
  ASSERT_EQ(local->publish("e", "", "", "again"), kOk);
  EXPECT_EQ(remote->hear(Type::message).payload, "again");
}

TEST_F(BridgeTest, a_child_that_asks_without_reading_is_cut_off) {
  build();
  const auto packet = *encode({.type = Type::subscribe, .token = 1, .topic = "denied"});
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto sent = try_send_bytes(remote->fd(), packet);
    if (!sent && sent.error().code != Code::busy) break;
    if (!sent) std::this_thread::yield();
  }
  EXPECT_EQ(why_closed().code, Code::too_large);
}

TEST_F(BridgeTest, lost_events_are_counted_and_told) {
  build();
  Recorder slow;
  const auto sink = attach(slow, "sink", {.subscribes = {"c.e"}}, {.messages = 2, .bytes = 1 << 20});
  ASSERT_EQ(sink->subscribe("c.e"), kOk);
  sink->pause();
  for (int i = 0; i < 10; ++i) remote->say({.type = Type::publish, .topic = "c.e", .payload = "x"});
  const auto loss = remote->hear(Type::loss);
  EXPECT_EQ(loss.topic, "c.e");
  std::uint64_t lost = loss.number;
  while (lost < 8) lost += remote->hear(Type::loss).number;
  EXPECT_EQ(lost, 8U);
  EXPECT_EQ(bridge->peer().counters().lost, 8U);
  // With a token the child is told at once instead.
  remote->say({.type = Type::publish, .token = 9, .topic = "c.e"});
  EXPECT_EQ(remote->hear(Type::result).status, kBusy);
  sink->resume();
}

TEST_F(BridgeTest, frames_of_the_wrong_direction_or_no_frames_end_the_connection) {
  for (const auto type : {Type::hello, Type::welcome, Type::message, Type::credit, Type::reply, Type::loss, Type::first_other}) {
    closed = {};
    build();
    remote->say({.type = type});
    EXPECT_EQ(why_closed().code, Code::invalid) << to_string(type);
    EXPECT_TRUE(remote->is_closed());
    bridge.reset();
  }
  for (const std::string_view garbage : {std::string_view("x"), std::string_view("garbage that is longer than the header of a frame is"), std::string_view()}) {
    closed = {};
    build();
    if (garbage.empty()) remote->say({.type = Type::goodbye, .text = "done"});
    else ASSERT_TRUE(try_send_bytes(remote->fd(), garbage));
    EXPECT_EQ(why_closed().code, garbage.empty() ? Code::unavailable : Code::invalid);
    bridge.reset();
  }
}

TEST_F(BridgeTest, other_frames_go_to_their_hook_which_may_end_the_bridge) {
  std::promise<std::string> got;
  BridgeOptions options;
  options.on_other_frame = [&](const Frame& frame) {
    got.set_value(std::string(frame.payload));
    bridge.reset();
  };
  build({}, {}, std::move(options));
  ASSERT_EQ(bridge->send({.type = static_cast<Type>(70), .payload = "out"}), kOk);
  EXPECT_EQ(remote->hear().payload, "out");
  remote->say({.type = static_cast<Type>(65), .payload = "in"});
  EXPECT_EQ(got.get_future().get(), "in");
  EXPECT_TRUE(remote->is_closed());
  loop->run_and_wait([] {});  // the hook has returned
}

TEST_F(BridgeTest, an_inactive_child_is_denied_and_hears_nothing) {
  build({.publishes = {{"c.e", Kind::event}}, .subscribes = {"e"}, .answers = {"c.q"}, .asks = {"q"}}, {}, {.on_other_frame = {}, .on_closed = {}, .is_active = false});
  remote->say({.type = Type::subscribe, .token = 1, .topic = "e"});
  EXPECT_EQ(remote->hear(Type::result).status, kDenied);
  remote->say({.type = Type::request, .token = 1, .number = 1000, .topic = "q"});
  EXPECT_EQ(remote->hear(Type::reply).status, kDenied);
  ASSERT_EQ(local->request({.topic = "c.q", .timeout = 20s}, 1), kOk);
  bridge->set_active(true);
  EXPECT_EQ(remote->hear().type, Type::request_in);
  subscribe("e");
}

TEST_F(BridgeTest, can_be_destroyed_while_busy_in_both_directions) {
  for (int round = 0; round < 30; ++round) {
    closed = {};
    build();
    subscribe("e");
    std::atomic<bool> stop = false;
    std::thread child([&] {
      while (!stop) (void)try_send_bytes(remote->fd(), *encode({.type = Type::publish, .topic = "c.e", .payload = "x"}));
    });
    std::thread host([&] {
      while (!stop) (void)local->publish("e", "", "", "x");
    });
    (void)remote->hear(Type::message);
    bridge.reset();
    stop = true;
    child.join();
    host.join();
  }
}

}  // namespace
}  // namespace picket::bus::wire
