#include <atomic>
#include <thread>

#include "unit/bus/fixture.hpp"

namespace picket::bus {
namespace {

class Requests : public BusTest {
 protected:
  void SetUp() override {
    asker = attach(asking, "asker", {.asks = {"*"}});
    answerer = attach(answering, "answerer", {.answers = {"q"}});
  }
  [[nodiscard]] RequestId asked(std::size_t index = 0) {
    EXPECT_TRUE(answering.wait_for("request", index + 1));
    return answering.heard("request")[index].id;
  }
  [[nodiscard]] Recorder::Heard reply(std::size_t index = 0) {
    EXPECT_TRUE(asking.wait_for("reply", index + 1));
    return asking.heard("reply")[index];
  }

  Recorder asking, answering, third;
  std::unique_ptr<Peer> asker, answerer;
};

TEST_F(Requests, go_to_the_answerer_and_the_answer_comes_back_once) {
  ASSERT_EQ(asker->request({.topic = "q", .content_type = "text/plain", .payload = "question", .timeout = 20s}, 42), kOk);
  const auto id = asked();
  const auto question = answering.heard()[0].message;
  EXPECT_EQ(question->payload(), "question");
  EXPECT_EQ(question->content_type(), "text/plain");
  EXPECT_EQ(question->sender(), "asker");
  EXPECT_GT(question->deadline_ms(), 1000U);
  EXPECT_LE(question->deadline_ms(), 20'000U);
  EXPECT_EQ(answerer->respond(id, kOk, "application/json", "{}"), kOk);
  const auto answer = reply();
  EXPECT_EQ(answer.id, 42U);
  EXPECT_EQ(answer.number, kOk);
  EXPECT_EQ(answer.message->payload(), "{}");
  EXPECT_EQ(answer.message->content_type(), "application/json");
  EXPECT_EQ(answer.message->sender(), "answerer");
  EXPECT_EQ(answer.message->topic(), "q");
  EXPECT_EQ(answerer->respond(id, kOk, "", "again"), kNotFound);
  EXPECT_EQ(asker->cancel(42), kNotFound);
  EXPECT_EQ(asker->grant(42, 1), kNotFound);
  EXPECT_TRUE(answering.heard("cancel").empty());
}

TEST_F(Requests, errors_carry_their_text) {
  ASSERT_EQ(asker->request({.topic = "q"}, 1), kOk);
  EXPECT_EQ(answerer->respond(asked(), 1, "", ""), kInvalid);
  EXPECT_EQ(answerer->respond(asked(), kOk, "", std::string(kMaxPayload + 1, 'x')), kInvalid);
  EXPECT_EQ(answerer->respond(asked(), kNotFound, "", "no such thing"), kOk);
  EXPECT_EQ(reply().number, kNotFound);
  EXPECT_EQ(reply().payload(), "no such thing");
}

TEST_F(Requests, an_answer_that_is_too_large_is_an_error_and_no_silence) {
  ASSERT_EQ(asker->request({.topic = "q"}, 1), kOk);
  answer(*answerer, asked(), "", std::string(kMaxPayload + 1, 'x'));
  EXPECT_EQ(reply().number, status_of(Code::too_large));
  EXPECT_EQ(reply().payload(), "the answer has 131073 bytes, the bus takes 131072");
}

TEST_F(Requests, fail_at_once_when_nobody_answers) {
  EXPECT_EQ(asker->request({.topic = "unknown"}, 1), kUnavailable);
  EXPECT_EQ(asker->request({.topic = "q", .to = "somebody"}, 1), kUnavailable);
  EXPECT_EQ(asker->request({.topic = "bad topic"}, 1), kInvalid);
  EXPECT_EQ(asker->request({.topic = "q", .timeout = 0ms}, 1), kInvalid);
  EXPECT_EQ(asker->request({.topic = "q", .timeout = 86'400'001ms}, 1), kInvalid);
  const auto publisher = attach(third, "publisher", {.publishes = {{"e", Kind::event}}});
  EXPECT_EQ(asker->request({.topic = "e"}, 1), kInvalid);
  EXPECT_TRUE(asking.heard().empty());
}

TEST_F(Requests, name_the_answerer_when_there_are_several) {
  const auto second = attach(third, "second", {.answers = {"q"}});
  EXPECT_EQ(asker->request({.topic = "q"}, 1), kConflict);
  ASSERT_EQ(asker->request({.topic = "q", .to = "second"}, 1), kOk);
  EXPECT_TRUE(third.wait_for("request"));
  EXPECT_TRUE(answering.heard().empty());
}

TEST_F(Requests, a_token_is_in_use_until_its_reply_is_handed_out) {
  ASSERT_EQ(asker->request({.topic = "q"}, 5), kOk);
  EXPECT_EQ(asker->request({.topic = "q"}, 5), kConflict);
  ASSERT_EQ(answerer->respond(asked(), kOk, "", ""), kOk);
  (void)reply();
  ASSERT_EQ(asker->request({.topic = "q"}, 5), kOk);
  EXPECT_NE(asked(0), asked(1));
}

TEST_F(Requests, time_out_even_when_the_answerer_hangs) {
  answering.hold();
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(asker->request({.topic = "q", .timeout = 4s}, 1), kOk);
  ASSERT_TRUE(answering.wait_until_held());
  ASSERT_EQ(asker->request({.topic = "q", .timeout = 50ms}, 2), kOk);  // never even handed out; nearer than the one before
  EXPECT_EQ(reply(0).id, 2U);
  EXPECT_EQ(reply(1).id, 1U);
  EXPECT_EQ(reply(1).number, status_of(Code::timeout));
  EXPECT_EQ(reply(1).payload(), "no answer from answerer to q in time");
  EXPECT_GE(std::chrono::steady_clock::now() - began, 4s);
  answering.let_go();
  // It hears of the end of what it has seen, and nothing of the other.
  ASSERT_TRUE(answering.wait_for("cancel"));
  EXPECT_EQ(answerer->respond(asked(), kOk, "", "late"), kNotFound);
  EXPECT_EQ(answering.heard("request").size(), 1U);
}

TEST_F(Requests, cancellation_reaches_the_other_side) {
  ASSERT_EQ(asker->request({.topic = "q"}, 9), kOk);
  const auto id = asked();
  ASSERT_EQ(asker->cancel(9), kOk);
  EXPECT_EQ(reply().number, status_of(Code::cancelled));
  ASSERT_TRUE(answering.wait_for("cancel"));
  EXPECT_EQ(answering.heard("cancel")[0].id, id);
  EXPECT_EQ(answerer->respond(id, kOk, "", ""), kNotFound);
  EXPECT_EQ(answerer->stream_write(id, "x"), kNotFound);
  EXPECT_EQ(asker->cancel(9), kNotFound);
}

TEST_F(Requests, are_answered_unavailable_when_the_answerer_goes) {
  ASSERT_EQ(asker->request({.topic = "q"}, 1), kOk);
  (void)asked();
  answering.hold();
  ASSERT_EQ(asker->request({.topic = "q"}, 2), kOk);
  ASSERT_TRUE(answering.wait_until_held());
  ASSERT_EQ(asker->request({.topic = "q"}, 3), kOk);
  std::thread detacher([&] { answerer.reset(); });
  ASSERT_TRUE(asking.wait_for("reply", 3));
  answering.let_go();
  detacher.join();
  for (const auto& one : asking.heard("reply")) {
    EXPECT_EQ(one.number, kUnavailable);
    EXPECT_EQ(one.payload(), "answerer has ended");
  }
  EXPECT_EQ(asker->request({.topic = "q"}, 1), kUnavailable);
}

TEST_F(Requests, are_cancelled_when_the_asker_goes) {
  ASSERT_EQ(asker->request({.topic = "q"}, 1), kOk);
  const auto id = asked();
  asker.reset();
  ASSERT_TRUE(answering.wait_for("cancel"));
  EXPECT_EQ(answering.heard("cancel")[0].id, id);
  EXPECT_EQ(answerer->respond(id, kOk, "", ""), kNotFound);
  EXPECT_TRUE(asking.heard().empty());
}

TEST_F(Requests, that_do_not_fit_the_answerers_queue_fail_at_once) {
  const auto small = attach(third, "small", {.answers = {"s"}}, {.messages = 2, .bytes = 1 << 20});
  third.hold();
  ASSERT_EQ(asker->request({.topic = "s"}, 1), kOk);
  ASSERT_TRUE(third.wait_until_held());
  ASSERT_EQ(asker->request({.topic = "s"}, 2), kOk);
  ASSERT_EQ(asker->request({.topic = "s"}, 3), kOk);
  EXPECT_EQ(asker->request({.topic = "s"}, 4), kBusy);
  EXPECT_EQ(asker->cancel(4), kNotFound);
  third.let_go();
  ASSERT_TRUE(third.wait_for("request", 3));
  EXPECT_EQ(asker->request({.topic = "s"}, 4), kOk);
}

TEST_F(Requests, of_one_asker_are_bounded) {
  for (Token token = 0; token < 1024; ++token) ASSERT_EQ(asker->request({.topic = "q"}, token), kOk);
  EXPECT_EQ(asker->request({.topic = "q"}, 5000), kBusy);
  ASSERT_EQ(asker->cancel(0), kOk);
  (void)reply();
  EXPECT_EQ(asker->request({.topic = "q"}, 5000), kOk);
}

TEST_F(Requests, can_be_asked_of_oneself) {
  const auto self = attach(third, "self", {.answers = {"me"}, .asks = {"me"}});
  ASSERT_EQ(self->request({.topic = "me", .payload = "?"}, 1), kOk);
  ASSERT_TRUE(third.wait_for("request"));
  ASSERT_EQ(self->respond(third.heard("request")[0].id, kOk, "", "!"), kOk);
  ASSERT_TRUE(third.wait_for("reply"));
  EXPECT_EQ(third.heard("reply")[0].payload(), "!");
}

TEST_F(Requests, reach_a_quick_handler_on_the_thread_that_brings_them_unless_something_is_before_them) {
  class Quick : public Recorder {
   public:
    void on_request(RequestId id, const MessagePtr& m) override {
      thread = std::this_thread::get_id();
      Recorder::on_request(id, m);
    }
    void on_reply(Token token, Status status, const MessagePtr& m) override {
      thread = std::this_thread::get_id();
      Recorder::on_reply(token, status, m);
    }
    std::atomic<std::thread::id> thread;
  };
  Quick asks, answers;
  const auto from = *router->attach({.name = "from", .allow = {.asks = {"quick"}}, .is_quick = true}, asks);
  const auto to = *router->attach({.name = "to", .allow = {.subscribes = {"e"}, .answers = {"quick"}}, .is_quick = true}, answers);
  const auto publisher = attach(third, "publisher", {.publishes = {{"e", Kind::event}}});
  ASSERT_EQ(to->subscribe("e"), kOk);

  ASSERT_EQ(from->request({.topic = "quick"}, 1), kOk);
  ASSERT_EQ(answers.heard("request").size(), 1U);
  EXPECT_EQ(answers.thread.load(), std::this_thread::get_id());
  ASSERT_EQ(to->respond(answers.heard("request")[0].id, kOk, "", "!"), kOk);
  ASSERT_EQ(asks.heard("reply").size(), 1U);
  EXPECT_EQ(asks.thread.load(), std::this_thread::get_id());

  answers.hold();
  ASSERT_EQ(publisher->publish("e", "", "", "first"), kOk);
  ASSERT_TRUE(answers.wait_until_held());
  ASSERT_EQ(from->request({.topic = "quick"}, 2), kOk);
  EXPECT_EQ(answers.heard("request").size(), 1U);
  answers.let_go();
  ASSERT_TRUE(answers.wait_for("request", 2));
  EXPECT_NE(answers.thread.load(), std::this_thread::get_id());
}

// As a bridge whose socket is full.
TEST_F(Requests, a_quick_handler_that_pauses_itself_gets_the_next_when_it_goes_on_and_nothing_once_it_has_left) {
  class Pausing : public Recorder {
   public:
    void on_request(RequestId id, const MessagePtr& m) override {
      Recorder::on_request(id, m);
      peer->pause();
    }
    Peer* peer = nullptr;
  } pausing;
  const auto from = attach(third, "from", {.asks = {"quick"}});
  const auto to = *router->attach({.name = "to", .allow = {.answers = {"quick"}}, .is_quick = true}, pausing);
  pausing.peer = to.get();
  ASSERT_EQ(from->request({.topic = "quick"}, 1), kOk);
  ASSERT_EQ(pausing.heard("request").size(), 1U);
  ASSERT_EQ(from->request({.topic = "quick"}, 2), kOk);
  EXPECT_EQ(pausing.heard("request").size(), 1U);
  to->resume();
  ASSERT_TRUE(pausing.wait_for("request", 2));
  ASSERT_EQ(from->request({.topic = "quick"}, 3), kOk);
  EXPECT_TRUE(to->detach(kPatience));
  EXPECT_EQ(pausing.heard("request").size(), 2U);
  ASSERT_TRUE(third.wait_for("reply", 3));
  for (const auto& reply : third.heard("reply")) EXPECT_EQ(reply.number, kUnavailable);
}

TEST_F(Requests, one_peer_cannot_answer_what_another_was_asked) {
  const auto other = attach(third, "other", {.answers = {"q"}});
  ASSERT_EQ(asker->request({.topic = "q", .to = "answerer"}, 1), kOk);
  const auto id = asked();
  EXPECT_EQ(other->respond(id, kOk, "", "forged"), kNotFound);
  EXPECT_EQ(other->stream_write(id, "forged"), kNotFound);
  EXPECT_EQ(other->credit(id), 0U);
}

}  // namespace
}  // namespace picket::bus
