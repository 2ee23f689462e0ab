// Many threads at once; what matters here is what the sanitizers say, and that nothing is lost or told twice.
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "unit/bus/fixture.hpp"

namespace picket::bus {
namespace {

class Stress : public BusTest {};

class Counter : public Handler {
 public:
  void on_message(const MessagePtr& m) override {
    EXPECT_EQ(inside_++, 0);
    auto& last = last_[std::string(m->sender())];
    const int number = std::stoi(std::string(m->payload()));
    EXPECT_EQ(number, last + 1);
    last = number;
    ++count;
    --inside_;
  }
  std::atomic<int> count = 0;

 private:
  std::atomic<int> inside_ = 0;
  std::map<std::string, int> last_;
};

TEST_F(Stress, loses_nothing_and_keeps_order_when_publishers_are_told_busy) {
  constexpr int kPublishers = 3;
  constexpr int kMessages = 4000;
  std::vector<std::unique_ptr<Counter>> counters;
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 3; ++i) {
    counters.push_back(std::make_unique<Counter>());
    peers.push_back(attach(*counters.back(), "sink" + std::to_string(i), {.subscribes = {"e"}}, {.messages = 50, .bytes = 1 << 20}));
    ASSERT_EQ(peers.back()->subscribe("e"), kOk);
  }
  std::vector<std::thread> threads;
  Recorder nobody;
  for (int p = 0; p < kPublishers; ++p)
    threads.emplace_back([&, peer = std::shared_ptr<Peer>(attach(nobody, "from" + std::to_string(p), {.publishes = {{"e", Kind::event}}}))] {
      for (int i = 1; i <= kMessages; ++i)
        while (peer->publish("e", "", "", std::to_string(i)) == kBusy) std::this_thread::yield();
    });
  for (auto& thread : threads) thread.join();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (auto& counter : counters) {
    while (counter->count < kPublishers * kMessages && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(counter->count, kPublishers * kMessages);
  }
}

// Answers at random: at once, later, never, with streams.
class Moody : public Handler {
 public:
  void on_request(RequestId id, const MessagePtr&) override {
    const std::scoped_lock lock(mutex_);
    if (id % 3 == 0) peer->respond(id, kOk, "", "now");
    else if (id % 3 == 1) later_.push_back(id);
    if (later_.size() > 20) {
      peer->respond(later_.front(), kOk, "", "later");
      later_.erase(later_.begin());
    }
  }
  void on_credit(RequestId id, std::uint64_t bytes) override { (void)peer->stream_write(id, std::string(std::min<std::uint64_t>(bytes, 100), 'x')); }
  std::unique_ptr<Peer> peer;

 private:
  std::mutex mutex_;
  std::vector<RequestId> later_;
};

class Asker : public Handler {
 public:
  void on_stream(Token token, const MessagePtr& m) override { peer->grant(token, m->payload().size()); }
  void on_reply(Token token, Status, const MessagePtr&) override {
    const std::scoped_lock lock(mutex);
    EXPECT_EQ(open.erase(token), 1U);
  }
  std::mutex mutex;
  std::set<Token> open;
  std::unique_ptr<Peer> peer;
};

class StressOfRequests : public BusTest, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(OnStrands, StressOfRequests, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(ByWhoBringsThem, StressOfRequests, testing::Values(true));

TEST_P(StressOfRequests, each_is_answered_exactly_once_while_peers_come_and_go) {
  std::atomic<bool> stop = false;
  Asker asker;
  asker.peer = *router->attach({.name = "asker", .allow = {.asks = {"*"}}, .is_quick = GetParam()}, asker);
  std::vector<std::thread> threads;
  for (int a = 0; a < 2; ++a)
    threads.emplace_back([&, a] {
      const auto name = "moody" + std::to_string(a);
      while (!stop) {
        Moody moody;
        {
          auto attached = router->attach({.name = name, .allow = {.answers = {"q" + std::to_string(a)}}, .starts_paused = true, .is_quick = GetParam()}, moody);
          ASSERT_TRUE(attached) << attached.error().message;
          moody.peer = std::move(*attached);
        }
        moody.peer->resume();
        for (int i = 0; i < 200 && !stop; ++i) std::this_thread::yield();
        EXPECT_TRUE(moody.peer->detach(kPatience));
      }
    });
  std::atomic<int> accepted = 0;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < 3000; ++i) {
        const auto token = static_cast<Token>(t) * 1'000'000 + static_cast<Token>(i);
        {
          const std::scoped_lock lock(asker.mutex);
          asker.open.insert(token);
        }
        const auto topic = "q" + std::to_string(random() % 2);
        const auto status = asker.peer->request({.topic = topic, .timeout = std::chrono::milliseconds(1 + random() % 30), .credit = random() % 300}, token);
        if (status != kOk) {
          const std::scoped_lock lock(asker.mutex);
          EXPECT_EQ(asker.open.erase(token), 1U);
          std::this_thread::yield();
          continue;
        }
        ++accepted;
        if (random() % 4 == 0) asker.peer->cancel(token);
      }
    });
  threads[2].join();
  threads[3].join();
  stop = true;
  threads[0].join();
  threads[1].join();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    {
      const std::scoped_lock lock(asker.mutex);
      if (asker.open.empty()) break;
    }
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "some requests were never answered";
    std::this_thread::yield();
  }
  EXPECT_GT(accepted, 100);
}

TEST_F(Stress, peers_can_be_destroyed_while_messages_pour_in) {
  std::atomic<bool> stop = false;
  Recorder nobody;
  const auto from = attach(nobody, "from", {.publishes = {{"e", Kind::event}, {"s", Kind::state}}});
  std::thread pour([&] {
    for (int i = 0; !stop; ++i) {
      (void)from->publish("e", "", "", "x");
      (void)from->publish("s", std::to_string(i % 10), "", "x");
    }
  });
  for (int round = 0; round < 200; ++round) {
    class Light : public Handler {
     public:
      void on_message(const MessagePtr&) override { ++count; }
      std::atomic<int> count = 0;
    } light;
    auto peer = attach(light, "peer", {.subscribes = {"*"}}, {.messages = 20, .bytes = 1 << 20});
    ASSERT_EQ(peer->subscribe("*"), kOk);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (light.count < 3 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    if (round % 2 == 0) {
      ASSERT_EQ(peer->unsubscribe("*"), kOk);
    }
    peer.reset();
    const int at_end = light.count;
    std::this_thread::yield();
    EXPECT_EQ(light.count, at_end);
  }
  stop = true;
  pour.join();
}

TEST_F(Stress, everything_can_be_torn_down_while_busy_in_any_order) {
  for (int round = 0; round < 30; ++round) {
    auto pool = runtime::Executor::make(2);
    auto bus = Router::make(*pool);
    Recorder a;
    Recorder b;
    auto from = *bus->attach({.name = "a", .allow = {.publishes = {{"e", Kind::event}}, .asks = {"*"}}}, a);
    auto to = *bus->attach({.name = "b", .allow = {.subscribes = {"*"}, .answers = {"q"}}}, b);
    ASSERT_EQ(to->subscribe("e"), kOk);
    for (int i = 0; i < 100; ++i) (void)from->publish("e", "", "", "x");
    for (Token i = 0; i < 100; ++i) (void)from->request({.topic = "q", .timeout = 1ms, .credit = 10}, i);
    switch (round % 4) {
      case 0: bus.reset(); break;
      case 1: EXPECT_TRUE(pool->stop(kPatience)); break;
      case 2: to.reset(); break;
      default: from.reset(); break;
    }
    if (from) (void)from->request({.topic = "q"}, 1000);
    if (from) (void)from->publish("e", "", "", "x");
    from.reset();
    to.reset();
  }
}

}  // namespace
}  // namespace picket::bus
