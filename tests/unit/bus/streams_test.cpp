#include "unit/bus/fixture.hpp"

namespace picket::bus {
namespace {

class Streams : public BusTest {
 protected:
  void open(std::uint64_t credit, QueueLimits limits = {}) {
    asker = attach(asking, "asker", {.asks = {"*"}}, limits);
    answerer = attach(answering, "answerer", {.answers = {"q"}});
    ASSERT_EQ(asker->request({.topic = "q", .credit = credit}, 7), kOk);
    ASSERT_TRUE(answering.wait_for("request"));
    id = answering.heard("request")[0].id;
  }
  Recorder asking, answering;
  std::unique_ptr<Peer> asker, answerer;
  RequestId id = 0;
};

TEST_F(Streams, never_exceed_the_credit) {
  open(10);
  ASSERT_TRUE(answering.wait_for("credit"));
  EXPECT_EQ(answering.heard("credit")[0].number, 10);
  EXPECT_EQ(answerer->credit(id), 10U);
  EXPECT_EQ(answerer->stream_write(id, "12345678901"), kBusy);
  EXPECT_EQ(answerer->stream_write(id, "123456"), kOk);
  EXPECT_EQ(answerer->credit(id), 4U);
  EXPECT_EQ(answerer->stream_write(id, "12345"), kBusy);
  EXPECT_EQ(asker->grant(7, 1), kOk);
  ASSERT_TRUE(answering.wait_for("credit", 2));
  EXPECT_EQ(answering.heard("credit")[1].number, 5);
  EXPECT_EQ(answerer->stream_write(id, "12345"), kOk);
  EXPECT_EQ(answerer->stream_write(id, "x"), kBusy);
  EXPECT_EQ(answerer->stream_write(id, ""), kInvalid);
  ASSERT_EQ(answerer->respond(id, kOk, "", "end"), kOk);
  ASSERT_TRUE(asking.wait_for("reply"));
  const auto heard = asking.heard();
  ASSERT_EQ(heard.size(), 3U);  // chunks in order, then the answer
  EXPECT_EQ(heard[0].payload(), "123456");
  EXPECT_EQ(heard[1].payload(), "12345");
  EXPECT_EQ(heard[1].id, 7U);
  EXPECT_EQ(heard[2].what, "reply");
  EXPECT_EQ(answerer->stream_write(id, "x"), kNotFound);
  EXPECT_EQ(answerer->credit(id), 0U);
}

TEST_F(Streams, without_credit_begin_with_none) {
  open(0);
  EXPECT_EQ(answerer->stream_write(id, "x"), kBusy);
  EXPECT_TRUE(answering.heard("credit").empty());
  EXPECT_EQ(asker->grant(7, std::numeric_limits<std::uint64_t>::max()), kOk);
  EXPECT_EQ(asker->grant(7, std::numeric_limits<std::uint64_t>::max()), kOk);  // the sum does not wrap around
  EXPECT_EQ(answerer->stream_write(id, std::string(kMaxPayload, 'x')), kOk);
  EXPECT_EQ(answerer->stream_write(id, std::string(kMaxPayload + 1, 'x')), kInvalid);
  EXPECT_TRUE(asking.wait_for("stream"));
}

TEST_F(Streams, do_not_overflow_an_asker_that_grants_more_than_it_reads) {
  open(1ULL << 40, {.messages = 100, .bytes = 400'000});
  asking.hold();
  ASSERT_EQ(answerer->stream_write(id, "first"), kOk);
  ASSERT_TRUE(asking.wait_until_held());
  const std::string chunk(kMaxPayload, 'x');
  int written = 0;
  while (answerer->stream_write(id, chunk) == kOk) ASSERT_LT(++written, 100);
  EXPECT_EQ(written, 3);
  EXPECT_LE(asker->counters().queued_bytes, 400'000U);
  const auto credits = answering.heard("credit").size();
  asking.let_go();
  // The writer is told once there is room again.
  ASSERT_TRUE(answering.wait_for("credit", credits + 1));
  EXPECT_EQ(answerer->stream_write(id, chunk), kOk);
  // Tiny chunks are bounded in number.
  ASSERT_TRUE(asking.wait_for("stream", 5));
  asking.hold();
  written = 0;
  while (answerer->stream_write(id, "x") == kOk) ASSERT_LT(++written, 200);
  EXPECT_GE(written, 100);
  asking.let_go();
  EXPECT_TRUE(asking.wait_for("stream", 5 + static_cast<std::size_t>(written)));
}

TEST_F(Streams, leave_room_for_events) {
  asker = attach(asking, "asker", {.subscribes = {"e"}, .asks = {"*"}}, {.messages = 10, .bytes = 100'000});
  answerer = attach(answering, "answerer", {.publishes = {{"e", Kind::event}}, .answers = {"q"}});
  ASSERT_EQ(asker->subscribe("e"), kOk);
  ASSERT_EQ(asker->request({.topic = "q", .credit = 1ULL << 40}, 7), kOk);
  ASSERT_TRUE(answering.wait_for("request"));
  asking.hold();
  int written = 0;
  while (answerer->stream_write(answering.heard("request")[0].id, std::string(1000, 'x')) == kOk) ASSERT_LT(++written, 100);
  EXPECT_EQ(answerer->publish("e", "", "", "x"), kOk);
  asking.let_go();
  EXPECT_TRUE(asking.wait_for("message"));
}

TEST_F(Streams, chunks_that_were_on_the_way_are_not_handed_out_after_a_cancellation) {
  open(1000);
  asking.hold();
  ASSERT_EQ(answerer->stream_write(id, "1"), kOk);
  ASSERT_TRUE(asking.wait_until_held());
  ASSERT_EQ(answerer->stream_write(id, "2"), kOk);
  ASSERT_EQ(asker->cancel(7), kOk);
  asking.let_go();
  ASSERT_TRUE(asking.wait_for("reply"));
  EXPECT_EQ(asking.heard("stream").size(), 1U);
  EXPECT_EQ(asking.heard("reply")[0].number, status_of(Code::cancelled));
}

TEST_F(Streams, carry_a_large_content_whole_and_in_order) {
  open(64 * 1024);
  std::string content;
  for (int i = 0; content.size() < 4'000'000; ++i) content += std::to_string(i) + ",";
  std::thread writer([&] {
    std::size_t at = 0;
    while (at < content.size()) {
      const auto credit = std::min<std::uint64_t>({answerer->credit(id), kMaxPayload, content.size() - at});
      if (credit == 0) {
        std::this_thread::yield();
        continue;
      }
      ASSERT_EQ(answerer->stream_write(id, std::string_view(content).substr(at, credit)), kOk);
      at += credit;
    }
    ASSERT_EQ(answerer->respond(id, kOk, "", ""), kOk);
  });
  std::string got;
  std::size_t seen = 0;
  while (got.size() < content.size()) {
    ASSERT_TRUE(asking.wait_for("stream", seen + 1));
    const auto chunks = asking.heard("stream");
    std::uint64_t bytes = 0;
    for (; seen < chunks.size(); ++seen) {
      got += chunks[seen].payload();
      bytes += chunks[seen].payload().size();
    }
    asker->grant(7, bytes);
  }
  writer.join();
  EXPECT_EQ(got, content);
  EXPECT_TRUE(asking.wait_for("reply"));
}

}  // namespace
}  // namespace picket::bus
