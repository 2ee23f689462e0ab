// HTTP without sockets: what anybody may send, cut anywhere.
#include "ksn_server/protocol.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "ksn/limits.hpp"
#include "ksn_server/head.hpp"
#include "ksn_server/server.hpp"

using namespace ksn_server;

namespace {

struct Asked {
  std::uint32_t stream;
  std::string path, body;
};

class Recorder final : public Upper {
 public:
  void on_post(std::uint32_t stream, std::string_view path, std::string_view body) override {
    asked.push_back({stream, std::string(path), std::string(body)});
    if (echo) protocol->answer(stream, 200, std::string(body));
  }
  bool page(std::string_view path, std::string& out) override {
    out = path == "/status" ? "page" : "";
    return !out.empty();
  }
  std::string_view date() const override { return "Sun, 22 Nov 2026 00:00:00 GMT"; }
  std::int64_t now_ms() const override { return now; }

  Protocol* protocol = nullptr;
  std::vector<Asked> asked;
  bool echo = true;
  std::int64_t now = 1;
};

class Http1Test : public ::testing::Test {
 protected:
  Http1Test() {
    budget_.most = 4u << 20;
    http_ = make_http1(upper_, budget_);
    upper_.protocol = http_.get();
  }
  std::string feed(std::string_view bytes) {
    http_->feed(bytes);
    return std::exchange(http_->out(), {});
  }
  static std::string post(std::string_view path, std::string_view body, std::string_view more = "") {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more) + "\r\n" + std::string(body);
  }
  Budget budget_;
  Recorder upper_;
  std::unique_ptr<Protocol> http_;
};

TEST_F(Http1Test, answers_a_request_cut_at_any_byte) {
  const auto request = post("/ksn/v1/ask?x=1", "question");
  for (std::size_t cut = 0; cut < request.size(); ++cut) {
    EXPECT_EQ(feed(request.substr(0, cut)), "") << cut;
    const auto answer = feed(request.substr(cut));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nquestion")) << cut << answer;
    EXPECT_EQ(http_->receiving_since(), 0);
  }
  ASSERT_EQ(upper_.asked.size(), request.size());
  EXPECT_EQ(upper_.asked.back().path, "/ksn/v1/ask");
}

TEST_F(Http1Test, answers_pipelined_requests_in_order_and_one_at_a_time) {
  upper_.echo = false;
  EXPECT_EQ(feed(post("/a", "1") + post("/b", "2")), "");
  ASSERT_EQ(upper_.asked.size(), 1u);
  EXPECT_FALSE(http_->takes_more());
  EXPECT_TRUE(http_->is_answering());
  http_->answer(upper_.asked[0].stream, 200, "one");
  http_->answer(upper_.asked[0].stream, 200, "twice");  // must not be said
  EXPECT_TRUE(std::exchange(http_->out(), {}).ends_with("\r\n\r\none"));
  http_->go_on();
  ASSERT_EQ(upper_.asked.size(), 2u);
  EXPECT_EQ(upper_.asked[1].path, "/b");
  http_->answer(upper_.asked[0].stream, 200, "late");   // of the first: nothing happens
  EXPECT_EQ(http_->out(), "");
  http_->answer(upper_.asked[1].stream, 200, "two");
  EXPECT_TRUE(http_->out().ends_with("\r\n\r\ntwo"));
}

TEST_F(Http1Test, refuses_what_is_ambiguous_or_too_long) {
  const std::pair<std::string, int> bad[] = {
      {"\x16\x03\x01\x02", 400},
      {"POST / HTTP/1.1\r\n\r\n", 400},                                                        // no Host
      {"POST / HTTP/1.1\r\nHost: h\r\n\r\n", 411},
      {"POST / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"POST x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 400},
      {"POST /\x80 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 400},
      {"PUT / HTTP/1.1\r\nHost: h\r\n\r\n", 405},
      {"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 413},
      {"POST / HTTP/1.1\r\nHost: h\r\nHost: i\r\nContent-Length: 0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\na", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: h\r\nExpect: money\r\nContent-Length: 0\r\n\r\n", 417},
      {"POST / HTTP/1.1\r\nHost : h\r\nContent-Length: 0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\n folded: x\r\nContent-Length: 0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(picket::ksn::kMostRequestBytes + 1) + "\r\n\r\n", 413},
      {"POST / HTTP/1.1\r\nX: " + std::string(kMostHead, 'x'), 431},
  };
  for (const auto& [request, status] : bad) {
    http_ = make_http1(upper_, budget_);
    upper_.protocol = http_.get();
    const auto answer = feed(request);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(status))) << request.substr(0, 100) << " -> " << answer;
    EXPECT_TRUE(http_->is_over());
  }
  EXPECT_TRUE(upper_.asked.empty());
}

TEST_F(Http1Test, takes_a_part_of_content_and_tells_it_to_come) {
  const std::string part(picket::ksn::kMostPartBytes, 'p');
  const auto request = post("/ksn/v1/content", part, "Expect: 100-continue\r\n");
  const auto head = request.find("\r\n\r\n") + 4;
  EXPECT_EQ(feed(request.substr(0, head)), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_NE(http_->receiving_since(), 0);
  EXPECT_TRUE(feed(request.substr(head)).ends_with("ppp"));
  EXPECT_EQ(upper_.asked.back().body, part);
}

TEST_F(Http1Test, holds_no_more_than_the_budget_and_gives_it_back) {
  budget_.most = 1000;
  EXPECT_TRUE(feed(post("/a", std::string(1001, 'x'))).starts_with("HTTP/1.1 503"));
  http_ = make_http1(upper_, budget_);
  upper_.protocol = http_.get();
  EXPECT_TRUE(feed(post("/a", std::string(400, 'x'))).starts_with("HTTP/1.1 200"));
  http_->go_on();
  EXPECT_EQ(budget_.held.load(), 0u);
  (void)feed("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 800\r\n\r\n");
  EXPECT_EQ(budget_.held.load(), 800u);
  http_.reset();
  EXPECT_EQ(budget_.held.load(), 0u);
}

TEST_F(Http1Test, shows_pages_to_people) {
  EXPECT_TRUE(feed("GET /status HTTP/1.1\r\nHost: h\r\n\r\n").ends_with("\r\n\r\npage"));
  EXPECT_TRUE(feed("GET /else HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.1 404"));
  EXPECT_TRUE(feed("GET /status HTTP/1.0\r\n\r\n").find("Connection: close") != std::string::npos);
  EXPECT_TRUE(http_->is_over());
}

TEST_F(Http1Test, answers_head_like_get_without_its_body) {
  const auto length_of = [](const std::string& answer) { return answer.substr(answer.find("Content-Length: "), 18); };
  const auto page = feed("HEAD /status HTTP/1.1\r\nHost: h\r\n\r\n"), missing = feed("HEAD /else HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(page.starts_with("HTTP/1.1 200") && page.ends_with("\r\n\r\n")) << page;
  EXPECT_EQ(length_of(page), length_of(feed("GET /status HTTP/1.1\r\nHost: h\r\n\r\n")));
  EXPECT_TRUE(missing.starts_with("HTTP/1.1 404") && missing.ends_with("\r\n\r\n")) << missing;
  EXPECT_TRUE(feed(post("/a", "body")).ends_with("\r\n\r\nbody")) << "the connection goes on";
}

// ---- HTTP/2, written by hand: no library of the server's stands on the other side.

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
  std::string out;
  for (const int shift : {16, 8, 0}) out.push_back(static_cast<char>(payload.size() >> shift));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(stream >> shift));
  return out.append(payload);
}
const std::string kHello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "");

std::string literal(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  out.push_back(static_cast<char>(name.size()));
  out.append(name);
  out.push_back(static_cast<char>(value.size()));
  return out.append(value);
}
std::string head_of(std::string_view method, std::string_view path) {
  return literal(":method", method) + literal(":scheme", "https") + literal(":authority", "h") + literal(":path", path);
}

struct Frame {
  std::uint8_t type, flags;
  std::uint32_t stream;
  std::string payload;
};
std::vector<Frame> frames_of(std::string_view bytes) {
  std::vector<Frame> out;
  const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])); };
  while (bytes.size() >= 9) {
    const std::size_t size = at(0) << 16 | at(1) << 8 | at(2);
    out.push_back({static_cast<std::uint8_t>(at(3)), static_cast<std::uint8_t>(at(4)), at(5) << 24 | at(6) << 16 | at(7) << 8 | at(8), std::string(bytes.substr(9, size))});
    bytes.remove_prefix(9 + size);
  }
  EXPECT_TRUE(bytes.empty());
  return out;
}

class Http2Test : public ::testing::Test {
 protected:
  Http2Test() {
    budget_.most = 4u << 20;
    http_ = make_http2(upper_, budget_);
    upper_.protocol = http_.get();
  }
  std::vector<Frame> feed(std::string_view bytes) {
    http_->feed(bytes);
    return taken();
  }
  std::vector<Frame> taken() { return frames_of(std::exchange(http_->out(), {})); }
  static std::string data_of(const std::vector<Frame>& frames, std::uint32_t stream) {
    std::string out;
    for (const auto& one : frames)
      if (one.type == 0 && one.stream == stream) out += one.payload;
    return out;
  }
  Budget budget_;
  Recorder upper_;
  std::unique_ptr<Protocol> http_;
};

TEST_F(Http2Test, answers_a_request_cut_at_any_byte) {
  const auto request = kHello + frame(1, 4, 1, head_of("POST", "/ksn/v1/ask")) + frame(0, 1, 1, "question");
  for (std::size_t cut = 0; cut < request.size(); ++cut) {
    http_ = make_http2(upper_, budget_);
    upper_.protocol = http_.get();
    (void)feed(request.substr(0, cut));
    EXPECT_EQ(data_of(feed(request.substr(cut)), 1), "question") << cut;
  }
  EXPECT_EQ(upper_.asked.back().path, "/ksn/v1/ask");
  EXPECT_EQ(budget_.held.load(), 0u);
}

TEST_F(Http2Test, answers_head_without_a_body) {
  (void)feed(kHello);
  for (const auto& [id, path] : {std::pair(1u, "/status"), std::pair(3u, "/else")}) {
    const auto answer = feed(frame(1, 5, id, head_of("HEAD", path)));
    ASSERT_EQ(answer.size(), 1u) << "who gets more breaks the connection off";
    EXPECT_EQ(answer[0].type, 1);
    EXPECT_EQ(answer[0].flags & 1, 1) << "it ends the stream";
  }
  EXPECT_EQ(data_of(feed(frame(1, 5, 5, head_of("GET", "/status"))), 5), "page");
  EXPECT_EQ(budget_.held.load(), 0u);
}

TEST_F(Http2Test, answers_streams_in_any_order) {
  upper_.echo = false;
  (void)feed(kHello);
  for (const std::uint32_t id : {1u, 3u, 5u}) (void)feed(frame(1, 4, id, head_of("POST", "/a")) + frame(0, 1, id, std::to_string(id)));
  ASSERT_EQ(upper_.asked.size(), 3u);
  http_->answer(5, 200, "five");
  EXPECT_EQ(data_of(taken(), 5), "five");
  http_->answer(5, 200, "again");
  http_->answer(7, 200, "never asked");
  EXPECT_TRUE(taken().empty());
  http_->answer(1, 200, "one");
  EXPECT_EQ(data_of(taken(), 1), "one");
  EXPECT_TRUE(http_->is_answering());
}

TEST_F(Http2Test, sends_a_long_answer_as_the_windows_allow) {
  upper_.echo = false;
  (void)feed(kHello);
  (void)feed(frame(1, 5, 1, head_of("POST", "/a")));
  const std::string body(200'000, 'b');
  http_->answer(1, 200, body);
  auto got = data_of(taken(), 1);
  EXPECT_EQ(got.size(), 65'535u);
  upper_.now = 777;
  EXPECT_EQ(http_->sending_since(), 1);
  const std::string grant("\x00\x0f\x00\x00", 4);
  got += data_of(feed(frame(8, 0, 0, grant) + frame(8, 0, 1, grant)), 1);
  EXPECT_EQ(got, body);
  EXPECT_EQ(http_->sending_since(), 0);
  EXPECT_EQ(budget_.held.load(), 0u);
}

TEST_F(Http2Test, refuses_too_long_a_body_and_forgets_the_rest_of_it) {
  (void)feed(kHello);
  (void)feed(frame(1, 4, 1, head_of("POST", "/ksn/v1/ask")));
  std::vector<Frame> all;
  for (int i = 0; i < 5; ++i)
    for (auto& one : feed(frame(0, 0, 1, std::string(16'384, 'x')))) all.push_back(std::move(one));
  bool reset = false;
  for (const auto& one : all) reset = reset || (one.type == 3 && one.stream == 1);
  EXPECT_TRUE(reset);
  EXPECT_TRUE(upper_.asked.empty());
  EXPECT_FALSE(http_->is_over());
  EXPECT_EQ(budget_.held.load(), 0u);
  EXPECT_EQ(data_of(feed(frame(1, 4, 3, head_of("POST", "/a")) + frame(0, 1, 3, "next")), 3), "next");
}

TEST_F(Http2Test, ends_a_connection_that_asks_and_takes_back) {
  upper_.echo = false;
  (void)feed(kHello);
  std::uint32_t id = 1;
  for (; id < 4000 && !http_->is_over(); id += 2) (void)feed(frame(1, 5, id, head_of("POST", "/a")) + frame(3, 0, id, std::string("\0\0\0\x8", 4)));
  EXPECT_LT(id, 1000u);
  EXPECT_TRUE(http_->is_over());
}

TEST_F(Http2Test, ends_when_what_was_asked_is_answered) {
  upper_.echo = false;
  (void)feed(kHello);
  (void)feed(frame(1, 4, 1, head_of("POST", "/a")) + frame(0, 1, 1, "a") + frame(1, 4, 3, head_of("POST", "/b")));
  http_->finish(false);
  const auto noticed = taken();
  ASSERT_EQ(noticed.size(), 1u);
  EXPECT_EQ(noticed[0].type, 7);  // GOAWAY: ask others elsewhere; what is on its way is taken
  EXPECT_EQ(noticed[0].payload.substr(0, 4), std::string("\x7f\xff\xff\xff", 4));
  http_->finish(false);
  EXPECT_EQ(taken().size(), 0u) << "said once";
  http_->finish(true);
  const auto said = taken();
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].type, 7);  // GOAWAY: what comes behind stream 3 is for somebody else
  EXPECT_EQ(said[0].payload.substr(0, 4), std::string("\0\0\0\3", 4));
  (void)feed(frame(1, 5, 5, head_of("POST", "/c")));
  http_->answer(1, 200, "one");
  EXPECT_EQ(data_of(taken(), 1), "one");
  EXPECT_FALSE(http_->is_over());
  (void)feed(frame(0, 1, 3, "b"));
  ASSERT_EQ(upper_.asked.size(), 2u);
  http_->answer(3, 200, "two");
  EXPECT_EQ(data_of(taken(), 3), "two");
  EXPECT_TRUE(http_->is_over());
}

TEST_F(Http2Test, knows_since_when_a_request_is_not_whole) {
  (void)feed(kHello);
  upper_.now = 50;
  (void)feed(frame(1, 4, 1, head_of("POST", "/a")));
  upper_.now = 60;
  (void)feed(frame(1, 4, 3, head_of("POST", "/b")) + frame(0, 1, 3, "b"));
  EXPECT_EQ(http_->receiving_since(), 50);
  (void)feed(frame(0, 1, 1, "a"));
  EXPECT_EQ(http_->receiving_since(), 0);
}

TEST_F(Http2Test, ends_at_what_is_no_http2) {
  http_->feed("POST / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(http_->is_over());
  EXPECT_TRUE(http_->is_broken());
}

}  // namespace
