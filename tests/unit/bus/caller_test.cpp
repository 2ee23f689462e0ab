#include "bus/caller.hpp"

#include <thread>

#include "unit/bus/fixture.hpp"

namespace picket::bus {
namespace {

class CallerTest : public BusTest {
 protected:
  void SetUp() override {
    answerer = attach(answering, "answerer", {.answers = {"q", "slow"}});
    auto attached = Caller::attach(*router, {.name = "caller", .allow = {.asks = {"*"}}});
    ASSERT_TRUE(attached) << attached.error().message;
    caller = std::move(*attached);
  }
  Recorder answering;
  std::unique_ptr<Peer> answerer;
  std::unique_ptr<Caller> caller;
};

TEST_F(CallerTest, waits_for_the_answer) {
  answering.answer = [&](RequestId id, const MessagePtr& m) { answerer->respond(id, kOk, "text/plain", "re: " + std::string(m->payload())); };
  for (int i = 0; i < 100; ++i) {
    const auto reply = caller->call({.topic = "q", .payload = std::to_string(i)});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->payload, "re: " + std::to_string(i));
    EXPECT_EQ(reply->content_type, "text/plain");
  }
}

TEST_F(CallerTest, turns_failures_into_errors_with_their_text) {
  answering.answer = [&](RequestId id, const MessagePtr&) { answerer->respond(id, kNotFound, "", "no such component"); };
  const auto failed = caller->call({.topic = "q"});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::not_found);
  EXPECT_EQ(failed.error().message, "no such component");
  answering.answer = [&](RequestId id, const MessagePtr&) { answerer->respond(id, kNotFound, "", "no caf\xe9 here"); };
  EXPECT_EQ(caller->call({.topic = "q"}).error().message, "no caf? here") << "a plugin may say what no message of protobuf can hold";
  EXPECT_FALSE(caller->call({.topic = "q"}).error().is_unanswered);
  answering.answer = [&](RequestId id, const MessagePtr&) { answerer->respond(id, status_of(Code::unavailable), "", "nobody answers me"); };
  EXPECT_FALSE(caller->call({.topic = "q"}).error().is_unanswered) << "it says so itself";
  EXPECT_TRUE(caller->call({.topic = "nothing"}).error().is_unanswered);
  EXPECT_EQ(caller->call({.topic = "nothing"}).error().message, "nobody answers nothing");
  EXPECT_EQ(caller->call({.topic = "q", .to = "x"}).error().message, "x does not answer q");
}

TEST_F(CallerTest, gives_up_at_the_deadline_and_when_cancelled) {
  const auto late = caller->call({.topic = "slow", .timeout = 1s});  // the answerer is to see it
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::timeout);
  core::CancelSource source;
  std::thread canceller([&] {
    EXPECT_TRUE(answering.wait_for("request", 2));
    source.cancel();
  });
  const auto cancelled = caller->call({.topic = "slow", .timeout = 1h}, source.token());
  canceller.join();
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, Code::cancelled);
  EXPECT_TRUE(answering.wait_for("cancel", 2));
  EXPECT_EQ(caller->call({.topic = "q"}, source.token()).error().code, Code::cancelled);
}

TEST_F(CallerTest, reads_a_stream_within_its_window) {
  std::string content(1'000'000, 'a');
  for (std::size_t i = 0; i < content.size(); i += 7) content[i] = static_cast<char>('a' + i % 26);
  auto stream = caller->open({.topic = "q", .timeout = 60s}, 50'000);
  ASSERT_TRUE(stream) << stream.error().message;
  ASSERT_TRUE(answering.wait_for("request"));
  const auto id = answering.heard("request")[0].id;
  std::thread writer([&] {
    std::size_t at = 0;
    while (at < content.size()) {
      const auto credit = std::min<std::uint64_t>({answerer->credit(id), kMaxPayload, content.size() - at});
      ASSERT_LE(credit, 50'000U);
      if (credit == 0) std::this_thread::yield();
      else ASSERT_EQ(answerer->stream_write(id, std::string_view(content).substr(at, credit)), kOk);
      at += credit;
    }
    ASSERT_EQ(answerer->respond(id, kOk, "t", "done"), kOk);
  });
  std::string got;
  for (;;) {
    const auto chunk = (*stream)->next(30s);
    if (!chunk) {
      ADD_FAILURE() << chunk.error().message;
      break;
    }
    if (!*chunk) break;
    got += (*chunk)->payload();
  }
  writer.join();
  EXPECT_EQ(got, content);
  EXPECT_EQ((*stream)->reply().payload, "done");
  EXPECT_FALSE(*(*stream)->next(1ms));  // the end stays the end
}

TEST_F(CallerTest, tells_waiting_from_the_deadline_in_a_stream) {
  // On a slow computer the deadline may have passed before anybody looks.
  for (auto deadline = 100ms; deadline < 30s; deadline *= 4) {
    auto stream = caller->open({.topic = "slow", .timeout = deadline}, 1000);
    ASSERT_TRUE(stream);
    const auto first = (*stream)->next(1ms).error().code;
    EXPECT_EQ((*stream)->next(60s).error().code, Code::expired);
    EXPECT_EQ((*stream)->next(60s).error().code, Code::expired);
    if (first == Code::timeout) return;
  }
  FAIL() << "to wait was never told from the deadline";
}

TEST_F(CallerTest, cancels_a_stream_that_is_dropped_and_survives_the_caller) {
  auto stream = caller->open({.topic = "slow", .timeout = 1h}, 1000);
  ASSERT_TRUE(stream);
  ASSERT_TRUE(answering.wait_for("request"));
  caller.reset();
  ASSERT_EQ(answerer->stream_write(answering.heard("request")[0].id, "still"), kOk);
  EXPECT_EQ((*(*stream)->next(30s))->payload(), "still");
  stream->reset();
  EXPECT_TRUE(answering.wait_for("cancel"));
}

TEST_F(CallerTest, ends_when_the_answerer_goes) {
  std::thread ender([&] {
    EXPECT_TRUE(answering.wait_for("request"));
    answerer.reset();
  });
  const auto reply = caller->call({.topic = "slow", .timeout = 1h});
  ender.join();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Code::unavailable);
  EXPECT_EQ(reply.error().message, "answerer has ended");
}

}  // namespace
}  // namespace picket::bus
