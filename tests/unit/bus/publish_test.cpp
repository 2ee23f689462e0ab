#include "unit/bus/fixture.hpp"

namespace picket::bus {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class Publish : public BusTest {
 protected:
  AllowList source{.publishes = {{"e", Kind::event}, {"s", Kind::state}, {"x.s", Kind::state}}};
  AllowList sink{.subscribes = {"*"}};
  Recorder nobody, listener, other;
};

TEST_F(Publish, reaches_every_subscriber_with_one_shared_message) {
  const auto from = attach(nobody, "from", source);
  const auto a = attach(listener, "a", sink);
  const auto b = attach(other, "b", sink);
  ASSERT_EQ(a->subscribe("e"), kOk);
  ASSERT_EQ(b->subscribe("*"), kOk);
  ASSERT_EQ(from->publish("e", "", "text/plain", "hello"), kOk);
  ASSERT_TRUE(listener.wait_for(1));
  ASSERT_TRUE(other.wait_for(1));
  const auto message = listener.heard()[0].message;
  EXPECT_EQ(message->topic(), "e");
  EXPECT_EQ(message->content_type(), "text/plain");
  EXPECT_EQ(message->sender(), "from");
  EXPECT_EQ(message->payload(), "hello");
  EXPECT_EQ(message, other.heard()[0].message);
  EXPECT_EQ(from->counters().published, 1U);
  EXPECT_EQ(a->counters().delivered, 1U);
}

TEST_F(Publish, keeps_the_publishers_order) {
  const auto from = attach(nobody, "from", source);
  const auto to = attach(listener, "to", sink);
  ASSERT_EQ(to->subscribe("e"), kOk);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(from->publish("e", "", "", std::to_string(i)), kOk);
  ASSERT_TRUE(listener.wait_for(1000));
  const auto payloads = listener.payloads();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(payloads[static_cast<std::size_t>(i)], std::to_string(i));
}

TEST_F(Publish, delivers_once_to_a_peer_whose_filters_overlap) {
  const auto from = attach(nobody, "from", source);
  const auto to = attach(listener, "to", sink);
  ASSERT_EQ(to->subscribe("e"), kOk);
  ASSERT_EQ(to->subscribe("*"), kOk);
  ASSERT_EQ(to->unsubscribe("e"), kOk);  // "*" still matches
  EXPECT_EQ(to->unsubscribe("e"), kNotFound);
  ASSERT_EQ(from->publish("e", "", "", "1"), kOk);
  ASSERT_EQ(from->publish("e", "", "", "2"), kOk);
  ASSERT_TRUE(listener.wait_for(2));
  EXPECT_THAT(listener.payloads(), ElementsAre("1", "2"));
  ASSERT_EQ(to->unsubscribe("*"), kOk);
  ASSERT_EQ(from->publish("e", "", "", "3"), kOk);
  ASSERT_EQ(to->subscribe("e"), kOk);
  ASSERT_EQ(from->publish("e", "", "", "4"), kOk);
  ASSERT_TRUE(listener.wait_for(3));
  EXPECT_EQ(listener.payloads()[2], "4");
}

TEST_F(Publish, event_is_all_or_nothing_when_one_queue_is_full) {
  const auto from = attach(nobody, "from", source);
  const auto slow = attach(listener, "slow", sink, {.messages = 3, .bytes = 1 << 20});
  const auto fast = attach(other, "fast", sink);
  ASSERT_EQ(slow->subscribe("e"), kOk);
  ASSERT_EQ(fast->subscribe("e"), kOk);
  listener.hold();
  ASSERT_EQ(from->publish("e", "", "", "0"), kOk);
  ASSERT_TRUE(listener.wait_until_held());
  for (const char* text : {"1", "2", "3"}) ASSERT_EQ(from->publish("e", "", "", text), kOk);
  EXPECT_EQ(from->publish("e", "", "", "refused"), kBusy);
  EXPECT_EQ(from->counters().busy, 1U);
  EXPECT_EQ(slow->counters().queued_messages, 3U);
  listener.let_go();
  ASSERT_TRUE(listener.wait_for(4));
  ASSERT_EQ(from->publish("e", "", "", "4"), kOk);
  ASSERT_TRUE(listener.wait_for(5));
  ASSERT_TRUE(other.wait_for(5));
  EXPECT_THAT(listener.payloads(), ElementsAre("0", "1", "2", "3", "4"));
  EXPECT_THAT(other.payloads(), ElementsAre("0", "1", "2", "3", "4"));
}

TEST_F(Publish, queue_is_bounded_in_bytes_too) {
  const auto from = attach(nobody, "from", source);
  const auto slow = attach(listener, "slow", sink, {.messages = 1000, .bytes = 100'000});
  ASSERT_EQ(slow->subscribe("e"), kOk);
  listener.hold();
  const std::string large(40'000, 'x');
  ASSERT_EQ(from->publish("e", "", "", large), kOk);
  ASSERT_TRUE(listener.wait_until_held());
  ASSERT_EQ(from->publish("e", "", "", large), kOk);
  ASSERT_EQ(from->publish("e", "", "", large), kOk);
  EXPECT_EQ(from->publish("e", "", "", large), kBusy);
  EXPECT_EQ(from->publish("e", "", "", "small"), kOk);
  EXPECT_LE(slow->counters().queued_bytes, 100'000U);
  listener.let_go();
  ASSERT_TRUE(listener.wait_for(4));
}

TEST_F(Publish, a_message_larger_than_the_whole_limit_passes_an_empty_queue) {
  const auto from = attach(nobody, "from", source);
  const auto to = attach(listener, "to", sink, {.messages = 10, .bytes = 100});
  ASSERT_EQ(to->subscribe("e"), kOk);
  ASSERT_EQ(from->publish("e", "", "", std::string(1000, 'x')), kOk);
  EXPECT_TRUE(listener.wait_for(1));
}

TEST_F(Publish, state_is_kept_per_key_and_handed_to_late_subscribers) {
  const auto from = attach(nobody, "from", source);
  ASSERT_EQ(from->publish("s", "a", "", "a1"), kOk);
  ASSERT_EQ(from->publish("s", "b", "", "b1"), kOk);
  ASSERT_EQ(from->publish("s", "a", "", "a2"), kOk);
  ASSERT_EQ(from->publish("x.s", "", "", "x"), kOk);
  const auto late = attach(listener, "late", sink);
  ASSERT_EQ(late->subscribe("s"), kOk);
  ASSERT_TRUE(listener.wait_for(2));
  EXPECT_THAT(listener.payloads(), UnorderedElementsAre("a2", "b1"));
  ASSERT_EQ(late->subscribe("s"), kOk);  // already: nothing is handed out again
  ASSERT_EQ(late->subscribe("x.*"), kOk);
  ASSERT_TRUE(listener.wait_for(3));
  EXPECT_EQ(listener.payloads()[2], "x");
}

TEST_F(Publish, kept_state_outlives_its_publisher_until_forgotten) {
  auto from = attach(nobody, "from", source);
  ASSERT_EQ(from->publish("s", "a", "", "a1"), kOk);
  ASSERT_EQ(from->publish("s", "b", "", "b1"), kOk);
  from.reset();
  router->forget("s", "a");
  const auto late = attach(listener, "late", sink);
  ASSERT_EQ(late->subscribe("s"), kOk);
  ASSERT_TRUE(listener.wait_for(1));
  EXPECT_THAT(listener.payloads(), ElementsAre("b1"));
  router->forget("s", "");
  router->forget("unknown", "");
  const auto later = attach(other, "later", {.publishes = {{"e", Kind::event}}, .subscribes = {"*"}});
  ASSERT_EQ(later->subscribe("*"), kOk);
  ASSERT_EQ(later->publish("e", "", "", "e"), kOk);
  ASSERT_TRUE(other.wait_for(1));
  EXPECT_THAT(other.payloads(), ElementsAre("e"));
}

TEST_F(Publish, state_in_a_full_queue_is_replaced_by_the_newer_value_of_its_key) {
  const auto from = attach(nobody, "from", source);
  const auto slow = attach(listener, "slow", sink, {.messages = 2, .bytes = 1 << 20});
  ASSERT_EQ(slow->subscribe("*"), kOk);
  listener.hold();
  ASSERT_EQ(from->publish("s", "a", "", "a0"), kOk);
  ASSERT_TRUE(listener.wait_until_held());
  for (int i = 1; i <= 50; ++i) {
    ASSERT_EQ(from->publish("s", "a", "", "a" + std::to_string(i)), kOk);
    ASSERT_EQ(from->publish("s", "b", "", "b" + std::to_string(i)), kOk);
  }
  EXPECT_EQ(from->publish("e", "", "", "refused"), kBusy);
  ASSERT_EQ(from->publish("s", "c", "", "c1"), kOk);  // a new key is the only one beyond the limit
  EXPECT_EQ(slow->counters().queued_messages, 3U);
  listener.let_go();
  ASSERT_TRUE(listener.wait_for(4));
  ASSERT_EQ(from->publish("e", "", "", "end"), kOk);
  ASSERT_TRUE(listener.wait_for(5));
  EXPECT_THAT(listener.payloads(), ElementsAre("a0", "a50", "b50", "c1", "end"));
}

TEST_F(Publish, state_is_not_dropped_while_the_queue_has_room) {
  const auto from = attach(nobody, "from", source);
  const auto to = attach(listener, "to", sink);
  ASSERT_EQ(to->subscribe("s"), kOk);
  listener.hold();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(from->publish("s", "k", "", std::to_string(i)), kOk);
  listener.let_go();
  EXPECT_TRUE(listener.wait_for(100));
}

TEST_F(Publish, a_state_topic_keeps_a_bounded_number_of_keys) {
  const auto from = attach(nobody, "from", source);
  for (int i = 0; i < 4096; ++i) ASSERT_EQ(from->publish("s", std::to_string(i), "", "v"), kOk);
  EXPECT_EQ(from->publish("s", "one more", "", "v"), status_of(Code::too_large));
  EXPECT_EQ(from->publish("s", "17", "", "newer"), kOk);
  // More keys than the queue has room: all are handed over, each once.
  const auto late = attach(listener, "late", sink, {.messages = 10, .bytes = 1 << 20});
  ASSERT_EQ(late->subscribe("s"), kOk);
  ASSERT_TRUE(listener.wait_for(4096));
}

TEST_F(Publish, refuses_what_is_malformed_or_of_the_wrong_kind) {
  const auto from = attach(nobody, "from", {.publishes = {{"e", Kind::event}, {"s", Kind::state}}, .answers = {"r"}});
  EXPECT_EQ(from->publish("e", "", "", std::string(kMaxPayload + 1, 'x')), kInvalid);
  EXPECT_EQ(from->publish("e", "", "", std::string(kMaxPayload, 'x')), kOk);
  EXPECT_EQ(from->publish("e", "key on an event", "", ""), kInvalid);
  EXPECT_EQ(from->publish("s", std::string(256, 'k'), "", ""), kInvalid);
  EXPECT_EQ(from->publish("s", "k", std::string(256, 't'), ""), kInvalid);
  EXPECT_EQ(from->publish("r", "", "", ""), kDenied);
  EXPECT_EQ(from->subscribe("a b"), kInvalid);
}

TEST_F(Publish, a_topic_has_one_kind) {
  const auto from = attach(nobody, "from", source);
  for (const AllowList& allow : {AllowList{.publishes = {{"e", Kind::state}}}, AllowList{.answers = {"e"}},
                                 AllowList{.publishes = {{"new", Kind::state}}, .answers = {"new"}}}) {
    const auto second = router->attach({.name = "second", .allow = allow}, other);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::conflict);
  }
  EXPECT_FALSE(router->attach({.name = "x", .allow = {.publishes = {{"r", Kind::request}}}}, other));
  EXPECT_FALSE(router->attach({.name = "x", .allow = {.publishes = {{"bad topic", Kind::event}}}}, other));
  EXPECT_FALSE(router->attach({.name = "x", .allow = {.subscribes = {"a*"}}}, other));
  EXPECT_FALSE(router->attach({.name = ""}, other));
  const auto taken = router->attach({.name = "from"}, other);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::conflict);
  EXPECT_TRUE(router->attach({.name = "x", .allow = source}, other));
}

TEST_F(Publish, a_kind_may_change_once_nobody_declares_the_topic) {
  auto from = attach(nobody, "from", {.publishes = {{"e", Kind::event}, {"s", Kind::state}}});
  ASSERT_EQ(from->publish("s", "", "", "kept"), kOk);
  from.reset();
  EXPECT_TRUE(router->attach({.name = "x", .allow = {.publishes = {{"e", Kind::state}}}}, other));
  EXPECT_FALSE(router->attach({.name = "x", .allow = {.publishes = {{"s", Kind::event}}}}, other));
}

TEST_F(Publish, allow_lists_deny_and_count) {
  const auto peer = attach(nobody, "peer", {.publishes = {{"e", Kind::event}}, .subscribes = {"a.*"}, .asks = {"q"}});
  EXPECT_EQ(peer->publish("other", "", "", ""), kDenied);
  EXPECT_EQ(peer->subscribe("b"), kDenied);
  EXPECT_EQ(peer->subscribe("*"), kDenied);
  EXPECT_EQ(peer->subscribe("a.b.*"), kOk);
  EXPECT_EQ(peer->request({.topic = "z"}, 1), kDenied);
  EXPECT_EQ(peer->counters().denied, 4U);
}

TEST_F(Publish, narrowing_takes_away_and_never_adds) {
  const auto from = attach(nobody, "from", {.publishes = {{"e", Kind::event}, {"s", Kind::state}}, .answers = {"r"}});
  const auto to = attach(listener, "to", {.subscribes = {"*"}, .asks = {"*"}});
  ASSERT_EQ(to->subscribe("e"), kOk);
  ASSERT_EQ(to->subscribe("s"), kOk);
  to->narrow({.publishes = {{"e", Kind::event}}, .subscribes = {"s"}, .asks = {"r"}});
  EXPECT_EQ(to->publish("e", "", "", ""), kDenied);  // never had it
  EXPECT_EQ(to->subscribe("e"), kDenied);
  ASSERT_EQ(from->publish("e", "", "", "not heard"), kOk);
  ASSERT_EQ(from->publish("s", "", "", "heard"), kOk);
  ASSERT_TRUE(listener.wait_for(1));
  EXPECT_THAT(listener.payloads(), ElementsAre("heard"));
  EXPECT_EQ(to->request({.topic = "r"}, 1), kOk);
  from->narrow({.publishes = {{"s", Kind::state}, {"e", Kind::state}}});
  EXPECT_EQ(from->publish("e", "", "", ""), kDenied);
  EXPECT_EQ(from->publish("s", "", "", ""), kOk);
  EXPECT_EQ(to->request({.topic = "r"}, 2), kUnavailable);
}

TEST_F(Publish, state_on_a_topic_that_is_taken_away_is_withdrawn_and_its_subscribers_are_told) {
  const auto from = attach(nobody, "from", source);
  const auto another = attach(nobody, "another", source);
  const auto to = attach(listener, "to", sink);
  ASSERT_EQ(to->subscribe("s"), kOk);
  ASSERT_EQ(from->publish("s", "mine", "text", "1"), kOk);
  ASSERT_EQ(another->publish("s", "theirs", "text", "2"), kOk);
  from->narrow({.publishes = {{"s", Kind::state}}});
  from->narrow({});
  from->narrow({});
  EXPECT_EQ(from->publish("s", "mine", "text", "3"), kDenied);
  ASSERT_EQ(another->publish("s", "theirs", "text", "4"), kOk);
  ASSERT_TRUE(listener.wait_for(4));
  EXPECT_THAT(listener.payloads(), ElementsAre("1", "2", "", "4")) << "told once, and only of what was taken away";
  const auto withdrawn = listener.heard()[2].message;
  EXPECT_EQ(withdrawn->key(), "mine");
  EXPECT_EQ(withdrawn->content_type(), "");
  EXPECT_EQ(withdrawn->sender(), "from");
  const auto late = attach(other, "late", sink);
  ASSERT_EQ(late->subscribe("s"), kOk);
  ASSERT_TRUE(other.wait_for(1));
  EXPECT_THAT(other.payloads(), ElementsAre("4"));
}

TEST_F(Publish, state_of_a_publisher_that_has_ended_can_be_withdrawn) {
  auto from = attach(nobody, "from", source);
  ASSERT_EQ(from->publish("s", "a", "text", "1"), kOk);
  from.reset();
  const auto to = attach(listener, "to", sink);
  ASSERT_EQ(to->subscribe("s"), kOk);
  router->withdraw("s", "another");
  router->withdraw("s", "from");
  router->withdraw("unknown", "from");
  ASSERT_TRUE(listener.wait_for(2));
  EXPECT_THAT(listener.payloads(), ElementsAre("1", ""));
}

TEST_F(Publish, a_new_topic_reaches_those_who_already_listen_to_its_prefix) {
  const auto to = attach(listener, "to", sink);
  ASSERT_EQ(to->subscribe("new.*"), kOk);
  const auto from = attach(nobody, "from", {.publishes = {{"new.topic", Kind::event}}});
  ASSERT_EQ(from->publish("new.topic", "", "", "1"), kOk);
  EXPECT_TRUE(listener.wait_for(1));
}

TEST_F(Publish, a_peer_may_hear_itself) {
  const auto peer = attach(listener, "peer", {.publishes = {{"e", Kind::event}}, .subscribes = {"e"}});
  ASSERT_EQ(peer->subscribe("e"), kOk);
  ASSERT_EQ(peer->publish("e", "", "", "me"), kOk);
  EXPECT_TRUE(listener.wait_for(1));
}

TEST_F(Publish, pausing_leaves_messages_in_the_bounded_queue) {
  const auto from = attach(nobody, "from", source);
  const auto to = attach(listener, "to", sink, {.messages = 2, .bytes = 1 << 20});
  ASSERT_EQ(to->subscribe("e"), kOk);
  to->pause();
  ASSERT_EQ(from->publish("e", "", "", "1"), kOk);
  ASSERT_EQ(from->publish("e", "", "", "2"), kOk);
  EXPECT_EQ(from->publish("e", "", "", "3"), kBusy);
  EXPECT_TRUE(listener.heard().empty());
  to->resume();
  ASSERT_TRUE(listener.wait_for(2));
  to->resume();
  ASSERT_EQ(from->publish("e", "", "", "4"), kOk);
  EXPECT_TRUE(listener.wait_for(3));
}

TEST_F(Publish, a_stuck_handler_stops_nobody_else) {
  const auto from = attach(nobody, "from", source);
  std::vector<std::unique_ptr<Recorder>> stuck;
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 4; ++i) {
    stuck.push_back(std::make_unique<Recorder>());
    peers.push_back(attach(*stuck.back(), "stuck" + std::to_string(i), sink));
    ASSERT_EQ(peers.back()->subscribe("e"), kOk);
    stuck.back()->hold();
  }
  const auto good = attach(listener, "good", sink);
  ASSERT_EQ(good->subscribe("e"), kOk);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(from->publish("e", "", "", "x"), kOk);
  EXPECT_TRUE(listener.wait_for(10));
  for (auto& one : stuck) one->let_go();
  for (auto& one : stuck) EXPECT_TRUE(one->wait_for(10));
}

TEST_F(Publish, detaching_gives_up_on_a_handler_that_hangs_and_can_be_tried_again) {
  const auto from = attach(nobody, "from", source);
  auto to = attach(listener, "to", sink);
  ASSERT_EQ(to->subscribe("e"), kOk);
  listener.hold();
  ASSERT_EQ(from->publish("e", "", "", "1"), kOk);
  ASSERT_EQ(from->publish("e", "", "", "2"), kOk);
  ASSERT_TRUE(listener.wait_until_held());
  EXPECT_FALSE(to->detach(20ms));
  EXPECT_EQ(to->publish("e", "", "", ""), kUnavailable);
  EXPECT_EQ(to->subscribe("e"), kUnavailable);
  ASSERT_EQ(from->publish("e", "", "", "3"), kOk);  // nobody listens any more
  listener.let_go();
  EXPECT_TRUE(to->detach(kPatience));
  EXPECT_EQ(listener.heard().size(), 1U);
  EXPECT_TRUE(router->attach({.name = "to", .allow = sink}, other));  // the name is free
}

TEST_F(Publish, the_tap_sees_what_is_said_and_refused) {
  const auto from = attach(nobody, "from", source);
  std::mutex mutex;
  std::vector<std::string> seen;
  router->set_tap([&](const Seen& one) {
    const std::scoped_lock lock(mutex);
    seen.push_back(std::to_string(static_cast<int>(one.what)) + " " + std::string(one.message->topic()) + " " + std::string(one.message->sender()));
  });
  ASSERT_EQ(from->publish("e", "", "", ""), kOk);
  ASSERT_EQ(from->publish("denied", "", "", ""), kDenied);
  router->set_tap({});
  ASSERT_EQ(from->publish("e", "", "", ""), kOk);
  const std::scoped_lock lock(mutex);
  EXPECT_THAT(seen, ElementsAre("0 e from", "5 denied from"));
}

TEST_F(Publish, topics_tell_who_says_and_hears_what) {
  const auto from = attach(nobody, "from", {.publishes = {{"e", Kind::event}}, .answers = {"r"}});
  const auto to = attach(listener, "to", sink);
  ASSERT_EQ(to->subscribe("*"), kOk);
  ASSERT_EQ(from->publish("e", "", "", ""), kOk);
  const auto topics = router->topics();
  ASSERT_EQ(topics.size(), 2U);
  EXPECT_EQ(topics[0].topic, "e");
  EXPECT_EQ(topics[0].kind, Kind::event);
  EXPECT_EQ(topics[0].messages, 1U);
  EXPECT_THAT(topics[0].publishers, ElementsAre("from"));
  EXPECT_THAT(topics[0].subscribers, ElementsAre("to"));
  EXPECT_THAT(topics[1].answerers, ElementsAre("from"));
}

}  // namespace
}  // namespace picket::bus
