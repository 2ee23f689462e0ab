#include <atomic>
#include <thread>

#include "unit/bus/fixture.hpp"

namespace picket::bus {
namespace {

class TakeOver : public BusTest {
 protected:
  static AllowList both() { return {.publishes = {{"s", Kind::state}, {"e", Kind::event}}, .subscribes = {"in"}, .answers = {"q"}, .asks = {"*"}}; }
  void SetUp() override {
    asker = attach(asking, "asker", {.publishes = {{"in", Kind::event}}, .subscribes = {"s", "e"}, .asks = {"*"}});
    ASSERT_EQ(asker->subscribe("s"), kOk);
    ASSERT_EQ(asker->subscribe("e"), kOk);
    before = attach(old_hears, "plugin", both());
    ASSERT_EQ(before->subscribe("in"), kOk);
    auto made = router->attach({.name = "plugin", .allow = both(), .stands_by = true}, new_hears);
    ASSERT_TRUE(made) << made.error().message;
    next = std::move(*made);
    ASSERT_EQ(next->subscribe("in"), kOk);
  }

  Recorder asking, old_hears, new_hears, third;
  std::unique_ptr<Peer> asker, before, next;
};

TEST_F(TakeOver, until_then_the_one_before_hears_and_answers) {
  ASSERT_EQ(asker->publish("in", "", "", "one"), kOk);
  ASSERT_EQ(asker->request({.topic = "q"}, 1), kOk);
  ASSERT_EQ(asker->request({.topic = "q", .to = "plugin"}, 2), kOk);
  EXPECT_TRUE(old_hears.wait_for(3));
  EXPECT_TRUE(new_hears.heard().empty());
}

TEST_F(TakeOver, the_one_beside_is_asked_by_who_names_it_so) {
  ASSERT_EQ(asker->request({.topic = "q", .to = standby_address("plugin")}, 1), kOk);
  ASSERT_TRUE(new_hears.wait_for("request"));
  EXPECT_EQ(next->respond(new_hears.heard()[0].id, kOk, "", "well"), kOk);
  ASSERT_TRUE(asking.wait_for("reply"));
  EXPECT_EQ(asking.heard("reply")[0].payload(), "well");
  // And asks others itself.
  const auto other = attach(third, "other", {.answers = {"o"}});
  EXPECT_EQ(next->request({.topic = "o"}, 1), kOk);
  EXPECT_TRUE(third.wait_for("request"));
}

TEST_F(TakeOver, what_it_publishes_before_is_kept_or_busy) {
  ASSERT_EQ(before->publish("s", "k", "", "of the old"), kOk);
  EXPECT_EQ(next->publish("s", "k", "", "first"), kOk);
  EXPECT_EQ(next->publish("s", "k", "", "second"), kOk);
  EXPECT_EQ(next->publish("e", "", "", "x"), kBusy);
  ASSERT_EQ(before->publish("e", "", "", "end"), kOk);
  ASSERT_TRUE(asking.wait_for(2));
  EXPECT_THAT(asking.payloads(), testing::ElementsAre("of the old", "end"));
  ASSERT_TRUE(next->take_over());
  EXPECT_EQ(before->publish("s", "k", "", "too late"), kUnavailable);
  EXPECT_EQ(before->publish("e", "", "", "still"), kOk);
  EXPECT_EQ(next->publish("e", "", "", "now"), kOk);
  ASSERT_TRUE(asking.wait_for(5));
  EXPECT_THAT(asking.payloads(), testing::ElementsAre("of the old", "end", "second", "still", "now"));
}

TEST_F(TakeOver, more_state_than_is_kept_is_too_large) {
  const std::string large(kMaxPayload, 'x');
  Status last = kOk;
  for (int i = 0; i < 64 && last == kOk; ++i) last = next->publish("s", std::to_string(i), "", large);
  EXPECT_EQ(last, status_of(Code::too_large));
}

TEST_F(TakeOver, one_that_ends_beside_leaves_no_trace) {
  next.reset();
  ASSERT_EQ(asker->request({.topic = "q"}, 1), kOk);
  EXPECT_TRUE(old_hears.wait_for("request"));
  EXPECT_EQ(asker->request({.topic = "q", .to = standby_address("plugin")}, 2), kUnavailable);
  auto again = router->attach({.name = "plugin", .allow = both(), .stands_by = true}, third);
  EXPECT_TRUE(again);
}

TEST_F(TakeOver, only_one_stands_by_and_only_it_takes_over) {
  EXPECT_EQ(router->attach({.name = "plugin", .allow = both(), .stands_by = true}, third).error().code, Code::conflict);
  EXPECT_EQ(before->take_over().error().code, Code::conflict);
  ASSERT_TRUE(next->take_over());
  EXPECT_EQ(next->take_over().error().code, Code::conflict);
}

TEST_F(TakeOver, without_one_before_it_just_comes) {
  before.reset();
  EXPECT_EQ(asker->request({.topic = "q"}, 1), kUnavailable);
  ASSERT_TRUE(next->take_over());
  EXPECT_EQ(asker->request({.topic = "q"}, 1), kOk);
  EXPECT_TRUE(new_hears.wait_for("request"));
}

TEST_F(TakeOver, the_one_before_finishes_what_it_was_asked_and_leaves) {
  ASSERT_EQ(asker->request({.topic = "q", .payload = "old"}, 1), kOk);
  ASSERT_TRUE(old_hears.wait_for("request"));
  ASSERT_TRUE(next->take_over());
  EXPECT_FALSE(before->leave_if_idle());
  ASSERT_EQ(asker->request({.topic = "q", .to = "plugin", .payload = "new"}, 2), kOk);
  ASSERT_TRUE(new_hears.wait_for("request"));
  EXPECT_EQ(new_hears.heard("request")[0].payload(), "new");
  EXPECT_EQ(before->respond(old_hears.heard()[0].id, kOk, "", "done"), kOk);
  ASSERT_TRUE(asking.wait_for("reply"));
  EXPECT_EQ(asking.heard("reply")[0].payload(), "done");
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!before->leave_if_idle() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_TRUE(before->leave_if_idle());
  before.reset();
  EXPECT_EQ(asker->publish("in", "", "", "heard"), kOk);
  EXPECT_TRUE(new_hears.wait_for("message"));
}

// Answers what it is asked, and counts what it hears.
struct Answering : Handler {
  explicit Answering(std::atomic<std::uint64_t>& counted) : events(counted) {}
  void on_request(RequestId id, const MessagePtr& m) override {
    bus.wait(nullptr);
    bus.load()->respond(id, kOk, "", m->payload());
  }
  void on_message(const MessagePtr&) override { ++events; }
  std::atomic<Peer*> bus{nullptr};
  std::atomic<std::uint64_t>& events;
};

TEST_F(TakeOver, loses_nothing_while_others_ask_and_publish) {
  constexpr std::uint64_t kAsks = 3000;
  next.reset();
  before.reset();
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> events{0}, changes{0};
  std::unique_ptr<Answering> answering;
  std::unique_ptr<Peer> now;
  const auto install = [&] {
    auto handler = std::make_unique<Answering>(events);
    auto peer = std::move(router->attach({.name = "plugin", .allow = both(), .stands_by = true}, *handler).value());
    handler->bus = peer.get();
    handler->bus.notify_all();
    ASSERT_EQ(peer->subscribe("in"), kOk);
    ASSERT_TRUE(peer->take_over());
    while (now && !now->leave_if_idle()) std::this_thread::yield();
    now = std::move(peer);
    answering = std::move(handler);
    ++changes;
  };
  install();
  std::thread changing([&] {
    while (!done) install();
  });
  std::uint64_t published = 0, asked = 0;
  for (std::uint64_t i = 1; i <= kAsks; ++i) {
    if (asker->request({.topic = "q", .payload = std::to_string(i)}, i) == kOk) ++asked;
    if (asker->publish("in", "", "", "x") == kOk) ++published;
    if (!asking.wait_for("reply", asked)) break;
  }
  done = true;
  changing.join();
  EXPECT_EQ(asked, kAsks);
  EXPECT_GT(changes, 10u);
  for (const auto& reply : asking.heard("reply")) ASSERT_EQ(reply.number, kOk) << reply.payload();
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (events < published && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(events, published);
}

}  // namespace
}  // namespace picket::bus
