// The line to real servers: which one is asked, who rests, what comes back.
#include "lines.hpp"

#include <gtest/gtest.h>

#include "fake_ksn.hpp"
#include "support/server_process.hpp"

using namespace ksn_proxy;
using namespace picket::ksn_proxy_tests;
using namespace std::chrono_literals;
using picket::Code;

namespace {

class KsnServerAt {
 public:
  // What was asked comes back; another status than 200 with a KSN's reason. Not a KSN: a page.
  explicit KsnServerAt(std::uint16_t port = 0, int status = 200, bool is_ksn = true) {
    ksn_server::Settings settings;
    settings.plain = true;
    settings.port = port;
    server_ = *ksn_server::Server::start(settings, [this, status, is_ksn](const ksn_server::Request& request, ksn_server::Reply reply) {
      ++asked;
      std::move(reply).send(status, !is_ksn ? "<html>no</html>" : status == 200 ? std::string(request.body) : ksn_server::refusal(v1::Refusal::LICENCE_UNKNOWN, "who?"));
    });
  }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] ksn_channel::Road road() const { return {"http://127.0.0.1:" + std::to_string(port()), {}, {}, {}}; }
  std::atomic<int> asked{0};

 private:
  std::unique_ptr<ksn_server::Server> server_;
};

// A message of any kind, with a member that it does not know.
constexpr std::string_view kQuestion = "\x1a\x08question";

picket::Result<Posted> post(Lines& lines, std::chrono::milliseconds deadline = 60s, std::string_view path = "/ksn/v1/ask") {
  std::mutex mutex;
  std::condition_variable came;
  std::optional<picket::Result<Posted>> out;
  lines.post(path, std::string(kQuestion), deadline, [&](picket::Result<Posted> posted) {
    const std::lock_guard lock(mutex);
    out = std::move(posted);
    came.notify_one();
  });
  std::unique_lock lock(mutex);
  came.wait(lock, [&] { return out.has_value(); });
  return *out;
}

TEST(KsnProxyLines, asks_the_first_and_then_the_next_while_it_rests) {
  auto first = std::make_unique<KsnServerAt>();
  KsnServerAt second;
  auto lines = Lines::start({first->road(), second.road()}, {1h, 1h});
  ASSERT_TRUE(lines) << lines.error().message;
  EXPECT_EQ(post(**lines)->body, kQuestion);
  EXPECT_EQ(first->asked, 1);
  EXPECT_EQ((*lines)->rests_for(), 0u);
  const auto first_url = first->road().base_url;
  first.reset();
  for (int i = 0; i < 3; ++i) {
    const auto posted = post(**lines);
    ASSERT_TRUE(posted) << posted.error().message;
    EXPECT_EQ(posted->status, 200);
  }
  EXPECT_EQ(second.asked, 3);
  const auto said = (*lines)->describe();
  EXPECT_NE(said.find("failed, and rests for"), std::string::npos) << said;
  EXPECT_NE(said.find("answers"), std::string::npos) << said;
  EXPECT_EQ(said.find(first_url), said.rfind(first_url)) << "named once: " << said;
}

TEST(KsnProxyLines, rests_when_no_server_answers) {
  auto server = std::make_unique<KsnServerAt>();
  auto lines = Lines::start({server->road()}, {1h, 1h});  // longer than the test may take
  ASSERT_TRUE(lines);
  ASSERT_TRUE(post(**lines));
  server.reset();
  auto failed = post(**lines);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::unavailable);
  EXPECT_GT((*lines)->rests_for(), 0u);
  EXPECT_LE((*lines)->rests_for(), 3600u);
  const auto resting = post(**lines);  // not tried at all
  ASSERT_FALSE(resting);
  EXPECT_NE(resting.error().message.find("rests after"), std::string::npos);
}

TEST(KsnProxyLines, says_that_a_server_is_down_when_its_rest_is_over_too) {
  auto server = std::make_unique<KsnServerAt>();
  auto lines = Lines::start({server->road()}, {1ms, 1ms});
  ASSERT_TRUE(lines);
  EXPECT_TRUE((*lines)->works());
  server.reset();
  ASSERT_FALSE(post(**lines));
  EXPECT_FALSE((*lines)->works());
  const auto end = std::chrono::steady_clock::now() + 60s;
  while ((*lines)->rests_for() > 0 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_FALSE((*lines)->works()) << "nobody has tried it since";
  EXPECT_NE((*lines)->describe().find(": failed, and is tried with the next question: "), std::string::npos) << (*lines)->describe();
}

TEST(KsnProxyLines, comes_back_when_a_server_does) {
  const auto port = *picket::support::free_port();
  auto server = std::make_unique<KsnServerAt>(port);
  auto lines = Lines::start({server->road()}, {200ms, 1s});
  ASSERT_TRUE(lines);
  server.reset();
  ASSERT_FALSE(post(**lines));
  server = std::make_unique<KsnServerAt>(port);
  const auto end = std::chrono::steady_clock::now() + 60s;
  bool answers = false;
  while (!(answers = post(**lines).has_value()) && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(answers);
  EXPECT_EQ((*lines)->rests_for(), 0u);
  EXPECT_GE(server->asked, 1);
}

TEST(KsnProxyLines, a_refusal_is_an_answer_and_a_broken_server_is_not) {
  KsnServerAt refuses(0, 403), broken(0, 503);
  auto lines = Lines::start({refuses.road()}, {1h, 1h});
  EXPECT_EQ(post(**lines)->status, 403);
  EXPECT_EQ((*lines)->rests_for(), 0u);
  lines = Lines::start({broken.road()}, {1h, 1h});
  EXPECT_EQ(post(**lines)->status, 503);
  EXPECT_GT((*lines)->rests_for(), 0u);
}

TEST(KsnProxyLines, asks_the_next_one_where_a_web_server_without_a_ksn_answers) {
  KsnServerAt empty(0, 404, false), ksn;
  auto lines = Lines::start({empty.road(), ksn.road()}, {1h, 1h});
  EXPECT_EQ(post(**lines)->status, 200);
  EXPECT_EQ(empty.asked, 1);
  EXPECT_EQ(ksn.asked, 1);
  EXPECT_NE((*lines)->describe().find("HTTP status 404"), std::string::npos) << (*lines)->describe();
}

TEST(KsnProxyLines, takes_no_word_of_a_web_server_about_a_file_for_one_about_answers) {
  KsnServerAt empty(0, 404, false), ksn, strict(0, 413, false);
  auto lines = Lines::start({empty.road(), ksn.road()}, {1ms, 1ms});
  ASSERT_TRUE(lines);
  EXPECT_EQ(post(**lines, 60s, "/ksn/v1/content")->status, 200) << "the next one takes it";
  EXPECT_EQ((*lines)->describe().find("failed"), std::string::npos) << (*lines)->describe();
  EXPECT_EQ(post(**lines)->status, 200);
  const auto end = std::chrono::steady_clock::now() + 60s;
  while ((*lines)->describe().find("is tried with the next question") == std::string::npos && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_EQ(post(**lines, 60s, "/ksn/v1/statistics")->status, 200);
  EXPECT_EQ(empty.asked, 3);
  EXPECT_NE((*lines)->describe().find("failed"), std::string::npos) << "it answers as little as before: " << (*lines)->describe();
  // What even he finds wrong with the message is wrong with it.
  lines = Lines::start({strict.road(), ksn.road()}, {1h, 1h});
  EXPECT_EQ(post(**lines, 60s, "/ksn/v1/content")->status, 413);
  EXPECT_EQ(ksn.asked, 3);
  EXPECT_EQ((*lines)->describe().find("failed"), std::string::npos) << (*lines)->describe();
}

TEST(KsnProxyLines, takes_no_page_for_the_receipt_of_a_file) {
  KsnServerAt page(0, 200, false), ksn;
  auto lines = Lines::start({page.road(), ksn.road()}, {1h, 1h});
  ASSERT_TRUE(lines);
  for (const auto* path : {"/ksn/v1/statistics", "/ksn/v1/content"}) EXPECT_EQ(post(**lines, 60s, path)->body, kQuestion) << path;
  EXPECT_EQ(page.asked, 2);
}

TEST(KsnProxyLines, blame_rests_the_one_that_answered) {
  KsnServerAt liar, honest;
  auto lines = Lines::start({liar.road(), honest.road()}, {1h, 1h});
  const auto lie = post(**lines);
  ASSERT_TRUE(lie);
  (*lines)->blame(*lie, "lies");
  const auto truth = post(**lines);
  ASSERT_TRUE(truth);
  EXPECT_EQ(honest.asked, 1);
  EXPECT_EQ(truth->server, 1u);
  (*lines)->blame(*lie, "lies");  // who answered since has nothing to do with it
  ASSERT_TRUE(post(**lines));
  EXPECT_EQ(honest.asked, 2);
  EXPECT_NE((*lines)->describe().find("lies"), std::string::npos);
}

TEST(KsnProxyBreaker, rests_twice_as_long_after_each_lie) {
  Breaker breaker(1s, 4s);
  auto now = Breaker::Clock::now();
  for (const auto rest : {1s, 2s, 4s, 4s}) {
    ASSERT_TRUE(breaker.may_ask(now));
    breaker.succeeded();  // it answers,
    breaker.blamed(now);  // but not what the provider signed
    EXPECT_EQ(breaker.left(now), rest);
    now += rest;
  }
  ASSERT_TRUE(breaker.may_ask(now));
  breaker.succeeded();
  breaker.succeeded();
  breaker.blamed(now);
  EXPECT_EQ(breaker.left(now), 1s) << "it was well in between";
}

TEST(KsnProxyBreaker, rests_twice_as_long_each_time_and_lets_one_try) {
  Breaker breaker(1s, 4s);
  auto now = Breaker::Clock::now();
  EXPECT_TRUE(breaker.may_ask(now));
  breaker.failed(now);
  breaker.failed(now);  // one that was on its way at the same time
  EXPECT_EQ(breaker.left(now), 1s);
  EXPECT_FALSE(breaker.may_ask(now + 999ms));
  for (const auto rest : {2s, 4s, 4s}) {
    now += breaker.left(now);
    EXPECT_TRUE(breaker.may_ask(now));
    EXPECT_FALSE(breaker.may_ask(now));  // one tries
    EXPECT_TRUE(breaker.is_trying(now));
    EXPECT_EQ(breaker.left(now), 1s) << "how it went is known soon";
    breaker.failed(now);
    EXPECT_EQ(breaker.left(now), rest);
  }
  now += 4s;
  EXPECT_TRUE(breaker.may_ask(now));
  breaker.succeeded();
  EXPECT_TRUE(breaker.may_ask(now));
  breaker.failed(now);
  EXPECT_EQ(breaker.left(now), 1s);
}

}  // namespace
