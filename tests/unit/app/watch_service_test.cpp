// Watching a real bus: what happens there arrives, what watching itself does is not watched, and the bus goes on.
#include "app/watch_service.hpp"

#include <functional>
#include <future>

#include <gtest/gtest.h>

#include "bus/caller.hpp"
#include "picket/host/v1/watch.pb.h"
#include "runtime/executor.hpp"

namespace picket::app {
namespace {

struct Quiet final : bus::Handler {};

TEST(WatchService, streams_what_happens_and_not_its_own_stream) {
  auto executor = runtime::Executor::make(2);
  auto router = bus::Router::make(*executor);
  Quiet handler;
  {
    WatchService service(*router, *executor);
    ASSERT_TRUE(service.start());
    bus::PeerOptions options;
    options.name = "teller";
    options.allow.publishes = {{"test.event", bus::Kind::event}};
    auto teller = router->attach(std::move(options), handler);
    ASSERT_TRUE(teller);
    bus::PeerOptions asking;
    asking.name = "watcher";
    asking.allow.asks = {"picket.bus.watch"};
    auto caller = bus::Caller::attach(*router, std::move(asking));
    ASSERT_TRUE(caller);
    const auto payload = host::v1::WatchRequest().SerializeAsString();
    auto stream = (*caller)->open({.topic = "picket.bus.watch", .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(60)}, 1u << 20);
    ASSERT_TRUE(stream);
    // The first may come before the watch has begun; from the first that was seen on, none is missing and nothing else comes.
    std::uint64_t expected = 0;
    for (int seen = 0; seen < 5;) {
      ASSERT_EQ((*teller)->publish("test.event", "", "", std::to_string(++expected)), bus::kOk);
      auto chunk = (*stream)->next(std::chrono::milliseconds(seen == 0 ? 100 : 20'000));
      if (!chunk && chunk.error().code == Code::timeout && seen == 0 && expected < 100) continue;
      ASSERT_TRUE(chunk) << chunk.error().message;
      ASSERT_TRUE(*chunk);
      host::v1::WatchEvent event;
      ASSERT_TRUE(event.ParseFromArray((*chunk)->payload().data(), static_cast<int>((*chunk)->payload().size())));
      EXPECT_EQ(event.what(), "publish");
      EXPECT_EQ(event.topic(), "test.event");
      EXPECT_EQ(event.from(), "teller");
      ++seen;
    }
    stream->reset();
    teller->reset();
    caller->reset();
  }
  executor->stop(std::chrono::seconds(5));
}

TEST(WatchService, tells_a_slow_watcher_how_many_it_missed_and_where) {
  using namespace std::chrono_literals;
  auto executor = runtime::Executor::make(2);
  auto router = bus::Router::make(*executor);
  Quiet handler;
  {
    WatchService service(*router, *executor);
    ASSERT_TRUE(service.start());
    auto teller = router->attach({.name = "teller", .allow = {.publishes = {{"test.event", bus::Kind::event}}}}, handler);
    ASSERT_TRUE(teller);
    auto caller = bus::Caller::attach(*router, {.name = "watcher", .allow = {.asks = {"picket.bus.watch"}}});
    ASSERT_TRUE(caller);
    host::v1::WatchRequest request;
    request.set_payloads(true);
    const auto wanted = request.SerializeAsString();
    auto stream = (*caller)->open({.topic = "picket.bus.watch", .to = {}, .content_type = {}, .payload = wanted, .timeout = 60s}, 1024);
    ASSERT_TRUE(stream);
    std::uint64_t published = 0, next = 0, missed = 0;
    const auto publish = [&](int times) {
      for (int i = 0; i < times; ++i) ASSERT_EQ((*teller)->publish("test.event", "", "", std::to_string(++published)), bus::kOk);
    };
    // Each that was published came, or is within what is said to be missed where it would have come.
    const auto read_up_to = [&](std::uint64_t last) {
      while (next <= last) {
        auto chunk = (*stream)->next(20s);
        ASSERT_TRUE(chunk) << chunk.error().message;
        ASSERT_TRUE(*chunk);
        host::v1::WatchEvent event;
        ASSERT_TRUE(event.ParseFromArray((*chunk)->payload().data(), static_cast<int>((*chunk)->payload().size())));
        if (event.what() == "missed") {
          ASSERT_GT(event.missed(), 0U);
          next += event.missed();
          missed += event.missed();
        } else {
          ASSERT_EQ(event.payload(), std::to_string(next));
          ++next;
        }
      }
    };
    for (int tries = 0; next == 0 && tries < 100; ++tries) {  // the first may come before the watch has begun
      publish(1);
      if (auto chunk = (*stream)->next(100ms)) {
        host::v1::WatchEvent event;
        ASSERT_TRUE(event.ParseFromArray((*chunk)->payload().data(), static_cast<int>((*chunk)->payload().size())));
        next = std::stoull(event.payload()) + 1;
      }
    }
    ASSERT_NE(next, 0U);
    publish(6000);
    read_up_to(published - 4000);
    EXPECT_EQ(missed, 0U) << "what was missed comes after what was kept";
    publish(10);
    read_up_to(published);
    EXPECT_GT(missed, 0U);
    missed = 0;
    publish(6000);
    read_up_to(published);
    EXPECT_GT(missed, 0U) << "said also when nothing more happens";
    stream->reset();
    teller->reset();
    caller->reset();
  }
  executor->stop(5s);
}

TEST(WatchService, shows_a_key_and_a_refused_topic_and_addressee_that_are_no_text) {
  auto executor = runtime::Executor::make(2);
  auto router = bus::Router::make(*executor);
  Quiet handler;
  {
    WatchService service(*router, *executor);
    ASSERT_TRUE(service.start());
    auto teller = router->attach({.name = "teller", .allow = {.publishes = {{"test.state", bus::Kind::state}}}}, handler);
    ASSERT_TRUE(teller);
    auto caller = bus::Caller::attach(*router, {.name = "watcher", .allow = {.asks = {"picket.bus.watch"}}});
    ASSERT_TRUE(caller);
    auto stream = (*caller)->open({.topic = "picket.bus.watch", .to = {}, .content_type = {}, .payload = {}, .timeout = std::chrono::seconds(60)}, 1u << 20);
    ASSERT_TRUE(stream);
    // Of what comes: the first may come before the watch has begun, and is done again; what was done before may come again, too.
    const auto shows = [&](const std::function<void()>& act, const std::function<bool(const host::v1::WatchEvent&)>& is_it) {
      for (int tries = 0; tries < 600; ++tries) {
        act();
        for (auto chunk = (*stream)->next(std::chrono::milliseconds(100)); chunk && *chunk; chunk = (*stream)->next(std::chrono::milliseconds(100))) {
          host::v1::WatchEvent event;
          EXPECT_TRUE(event.ParseFromArray((*chunk)->payload().data(), static_cast<int>((*chunk)->payload().size())));
          if (is_it(event)) return true;
        }
      }
      return false;
    };
    EXPECT_TRUE(shows([&] { EXPECT_EQ((*teller)->publish("test.state", "caf\xe9", "", ""), bus::kOk); }, [](const auto& event) { return event.key() == "caf\\xe9"; }));
    EXPECT_TRUE(shows([&] { EXPECT_EQ((*teller)->publish("caf\xe9", "", "", ""), bus::status_of(Code::denied)); }, [](const auto& event) { return event.topic() == "caf\\xe9"; }));
    EXPECT_TRUE(shows([&] { EXPECT_EQ((*teller)->request({.topic = "test.question", .to = "caf\xe9"}, 1), bus::status_of(Code::denied)); },
                      [](const auto& event) { return event.what() == "denied" && event.to() == "caf\\xe9"; }));
    stream->reset();
    teller->reset();
    caller->reset();
  }
  executor->stop(std::chrono::seconds(5));
}

TEST(WatchService, refuses_what_is_no_filter) {
  auto executor = runtime::Executor::make(2);
  auto router = bus::Router::make(*executor);
  {
    WatchService service(*router, *executor);
    ASSERT_TRUE(service.start());
    bus::PeerOptions asking;
    asking.name = "watcher";
    asking.allow.asks = {"picket.bus.watch"};
    auto caller = bus::Caller::attach(*router, std::move(asking));
    ASSERT_TRUE(caller);
    for (const char* bad : {"bad filter!!", "picket.update*", "*.x"}) {
      host::v1::WatchRequest request;
      request.set_filter(bad);
      const auto payload = request.SerializeAsString();
      const auto answer = (*caller)->call({.topic = "picket.bus.watch", .to = {}, .content_type = {}, .payload = payload, .timeout = std::chrono::seconds(20)});
      ASSERT_FALSE(answer) << bad;
      EXPECT_EQ(answer.error().code, Code::invalid);
      EXPECT_EQ(answer.error().message, cat("'", bad, "' is neither a topic nor a prefix that ends in .*"));
    }
    caller->reset();
  }
  executor->stop(std::chrono::seconds(5));
}

TEST(WatchService, does_not_end_before_what_it_has_posted) {
  using namespace std::chrono_literals;
  auto executor = runtime::Executor::make(1, 1h);
  auto router = bus::Router::make(*executor);
  auto service = std::make_unique<WatchService>(*router, *executor);
  ASSERT_TRUE(service->start());
  Quiet handler;
  auto teller = router->attach({.name = "teller", .allow = {.publishes = {{"test.event", bus::Kind::event}}}}, handler);
  ASSERT_TRUE(teller);
  auto caller = bus::Caller::attach(*router, {.name = "watcher", .allow = {.asks = {"picket.bus.watch"}}});
  ASSERT_TRUE(caller);
  auto stream = (*caller)->open({.topic = "picket.bus.watch", .to = {}, .content_type = {}, .payload = {}, .timeout = 60s}, 1u << 20);
  ASSERT_TRUE(stream);
  do {
    ASSERT_EQ((*teller)->publish("test.event", "", "", "seen"), bus::kOk);
  } while (!(*stream)->next(100ms));

  // The only thread is taken: what the next event makes the service post waits behind.
  std::promise<void> taken, may_end;
  const auto strand = executor->make_strand("taker");
  strand->post([&] {
    taken.set_value();
    may_end.get_future().wait();
  });
  taken.get_future().wait();
  ASSERT_EQ((*teller)->publish("test.event", "", "", "not seen"), bus::kOk);
  auto ended = std::async(std::launch::async, [&] { service.reset(); });
  EXPECT_EQ(ended.wait_for(50ms), std::future_status::timeout);
  may_end.set_value();
  ended.wait();
  stream->reset();
  teller->reset();
  caller->reset();
  executor->stop(5s);
}

}  // namespace
}  // namespace picket::app
