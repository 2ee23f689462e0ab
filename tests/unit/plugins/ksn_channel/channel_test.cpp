#include "ksn_channel/channel.hpp"

#include <gmock/gmock.h>

#include "../raw_server.hpp"
#include "base/files.hpp"
#include "ksn/limits.hpp"
#include "support/nginx.hpp"
#include "support/server_process.hpp"
#include "support/tls_certificate.hpp"
#include "waiting.hpp"

namespace ksn_channel_test {
namespace {

using picket::Code;
using picket::support::Nginx;
using picket::plugin_tests::RawServer;
using testing::HasSubstr;
using namespace std::chrono_literals;
using ksn_channel::Channel;
using ksn_channel::check_road;
using ksn_channel::Road;

struct KsnChannel : testing::Test {
  void SetUp() override {
    auto made = Channel::start();
    ASSERT_TRUE(made) << made.error().message;
    channel = std::move(*made);
  }
  void serve(const std::string& location, bool tls = true) {
    auto made = Nginx::start({.root = folder.path(),
                              .tls = tls,
                              .server_lines = "access_log " + (folder / "connections").native() + " connections;",
                              .location_lines = location,
                              .http_lines = "log_format connections '$connection $server_protocol $content_type $content_length \"$http_user_agent\"';"});
    ASSERT_TRUE(made) << made.error().message;
    nginx = std::move(*made);
  }
  [[nodiscard]] Road road() const {
    return {.base_url = "https://127.0.0.1:" + std::to_string(nginx->port()), .certificate = *picket::read_file(nginx->certificate(), 1 << 16)};
  }
  // nginx writes a line after the client has its answer.
  std::string line(std::size_t at) {
    for (int i = 0; i < 3000; ++i) {
      const auto text = picket::read_file(folder / "connections", 1 << 20).value_or("");
      std::size_t from = 0;
      for (std::size_t skip = at; skip > 0 && from != std::string::npos; --skip) from = text.find('\n', from) + 1;
      const auto end = text.find('\n', from);
      if (end != std::string::npos) return text.substr(from, end - from);
      std::this_thread::sleep_for(10ms);
    }
    return {};
  }
  picket::support::ServerFolder folder;
  std::unique_ptr<Nginx> nginx;
  std::unique_ptr<Channel> channel;
};

TEST_F(KsnChannel, speaks_http2_over_tls_on_one_connection_and_tells_nothing_of_itself) {
  serve("return 200 answer;");
  const auto first = post(*channel, road());
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->status, 200);
  EXPECT_EQ(first->body, "answer");
  EXPECT_EQ(first->protocol, "HTTP/2");
  ASSERT_TRUE(post(*channel, road()));
  EXPECT_THAT(line(0), HasSubstr("HTTP/2.0 application/x-protobuf 8 \"-\""));
  EXPECT_EQ(line(0), line(1));  // the same connection
}

TEST_F(KsnChannel, many_questions_at_once_are_all_answered) {
  serve("return 200 answer;");
  std::vector<Waiting> all(500);
  for (const auto& waiting : all) channel->post(road(), "/ksn/v1/ask", std::string(1000, 'q'), 60s, waiting.done());
  for (const auto& waiting : all) {
    const auto answer = waiting.wait();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(waiting.times(), 1U);
  }
}

TEST_F(KsnChannel, hands_on_any_status_with_its_body) {
  serve("return 503 refusal;");
  const auto answer = post(*channel, road());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->body, "refusal");
}

TEST_F(KsnChannel, refuses_a_certificate_of_another_authority_and_sends_nothing) {
  serve("return 200 answer;");
  ASSERT_TRUE(picket::support::make_certificate(folder / "other.pem", folder / "other.key"));
  auto other = road();
  other.certificate = *picket::read_file(folder / "other.pem", 1 << 16);
  const auto answer = post(*channel, other);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::untrusted) << answer.error().message;
  EXPECT_THAT(answer.error().message, HasSubstr("certificate"));
  auto system = road();
  system.certificate.clear();
  EXPECT_EQ(post(*channel, system).error().code, Code::untrusted);
  // The right one is accepted though connections of other authorities were tried.
  EXPECT_TRUE(post(*channel, road()));
  EXPECT_THAT(nginx->wait_for_requests(1, 1ms).size(), testing::Le(1U));
}

TEST_F(KsnChannel, a_certificate_that_is_none_is_one_clear_error) {
  serve("return 200 answer;");
  auto broken = road();
  broken.certificate = "no PEM";
  const auto answer = post(*channel, broken);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::untrusted) << answer.error().message;
}

TEST_F(KsnChannel, silence_ends_at_the_deadline) {
  RawServer silent([](const std::string&) { return RawServer::Reply{.bytes = "", .hold = true}; });
  const auto began = std::chrono::steady_clock::now();
  const auto answer = post(*channel, {.base_url = "http://127.0.0.1:" + std::to_string(silent.port())}, "/ksn/v1/ask", 300ms);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::timeout) << answer.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
}

TEST_F(KsnChannel, an_endless_answer_is_cut_at_the_limit) {
  RawServer endless([](const std::string&) {
    return RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", .endless = true, .again = std::string(65536, 'x')};
  });
  const auto answer = post(*channel, {.base_url = "http://127.0.0.1:" + std::to_string(endless.port())});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::too_large) << answer.error().message;
}

TEST_F(KsnChannel, a_truncated_answer_is_no_answer) {
  RawServer cut([](const std::string&) { return RawServer::Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"}; });
  const auto answer = post(*channel, {.base_url = "http://127.0.0.1:" + std::to_string(cut.port())});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::unavailable) << answer.error().message;
}

TEST_F(KsnChannel, goes_on_when_the_server_dies_and_comes_back) {
  serve("return 200 answer;");
  const Road to = road();
  ASSERT_TRUE(post(*channel, to));
  nginx->stop();
  const auto away = post(*channel, to);
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code, Code::unavailable) << away.error().message;
  serve("return 200 again;");
  const auto back = post(*channel, road());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->body, "again");
}

TEST_F(KsnChannel, follows_no_redirect) {
  serve("return 307 https://127.0.0.1:1/elsewhere;");
  const auto answer = post(*channel, road());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 307);
}

TEST_F(KsnChannel, cancelled_and_stopped_posts_are_told_once) {
  RawServer silent([](const std::string&) { return RawServer::Reply{.bytes = "", .hold = true}; });
  const Road to{.base_url = "http://127.0.0.1:" + std::to_string(silent.port())};
  const Waiting cancelled, stopped;
  const auto id = channel->post(to, "/", "q", 60s, cancelled.done());
  channel->post(to, "/", "q", 60s, stopped.done());
  channel->cancel(id);
  EXPECT_EQ(cancelled.wait().error().code, Code::cancelled);
  channel.reset();
  EXPECT_EQ(stopped.wait().error().code, Code::cancelled);
  EXPECT_EQ(cancelled.times(), 1U);
  EXPECT_EQ(stopped.times(), 1U);
}

// To this address no connection can be made: the kernel says what it says of a computer without a network.
TEST_F(KsnChannel, a_computer_without_a_network_is_said_in_these_words) {
  const auto away = post(*channel, {.base_url = "https://255.255.255.255:13111"});
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().code, Code::unavailable);
  EXPECT_EQ(away.error().message, "https://255.255.255.255:13111: no network");
}

TEST_F(KsnChannel, roads_that_are_none_are_refused_with_the_reason) {
  EXPECT_TRUE(check_road({.base_url = "https://ksn.example:13111"}));
  EXPECT_TRUE(check_road({.base_url = "https://[2001:db8::1]"}));
  EXPECT_TRUE(check_road({.base_url = "http://127.0.0.1:8080"}));
  for (const char* bad : {"", "ksn.example", "http://ksn.example", "ftp://127.0.0.1", "https://user@ksn.example", "https://ksn.example/path", "https://ksn.example?x=1", "https://k n"}) {
    const auto checked = check_road({.base_url = bad});
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().code, Code::invalid);
    EXPECT_EQ(post(*channel, {.base_url = bad}).error().code, Code::invalid) << bad;
  }
  EXPECT_FALSE(check_road({.base_url = "https://ksn.example", .proxy = "gopher://x"}));
  EXPECT_FALSE(check_road({.base_url = "https://ksn.example", .resolvers = {"not an address"}}));
}

}  // namespace
}  // namespace ksn_channel_test
