// The server as clients see it, over real sockets.
#include "ksn_server/server.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "picket/ksn/v1/wire.pb.h"
#include "support/server_process.hpp"
#include "tls_server/own_certificate.hpp"

using namespace ksn_server;
using namespace std::chrono_literals;
namespace v1 = picket::ksn::v1;

namespace {

class Raw {
 public:
  explicit Raw(std::uint16_t port, const char* from = "127.0.0.1") : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    if (::inet_pton(AF_INET, from, &own.sin_addr) != 1 || ::bind(fd_, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) return;
    const timeval limit{60, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Raw() { ::close(fd_); }
  Raw(const Raw&) = delete;
  Raw& operator=(const Raw&) = delete;
  [[nodiscard]] bool connected() const { return connected_; }
  bool send(std::string_view bytes) { return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()); }
  // Until `end` came or the server ended it.
  std::string receive(std::string_view end) {
    std::string out;
    char buffer[4096];
    while (end.empty() || out.find(end) == out.npos) {
      const auto size = ::recv(fd_, buffer, sizeof buffer, 0);
      if (size <= 0) break;
      out.append(buffer, static_cast<std::size_t>(size));
    }
    return out;
  }
  void shrink() {
    const int small = 4096;
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  }

 private:
  int fd_;
  bool connected_ = false;
};

std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

Settings plain() {
  Settings out;
  out.plain = true;
  return out;
}

void echo(const Request& request, Reply reply) { std::move(reply).send(200, std::string(request.body)); }

template <class Condition>
bool wait_for(Condition is_so) {
  for (const auto end = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < end; std::this_thread::yield())
    if (is_so()) return true;
  return false;
}

TEST(KsnServer, tells_the_peer_and_counts) {
  std::string peer;
  auto server = Server::start(plain(), [&](const Request& request, Reply reply) {
    peer = request.peer;
    echo(request, std::move(reply));
  });
  ASSERT_TRUE(server) << server.error().message;
  Raw client((*server)->port());
  ASSERT_TRUE(client.send(post("/ksn/v1/ask", "abc")));
  EXPECT_TRUE(client.receive("abc").ends_with("\r\n\r\nabc"));
  EXPECT_EQ(peer, "127.0.0.1");
  EXPECT_EQ((*server)->counters().connections, 1u);
}

TEST(KsnServer, sends_answers_of_other_threads_and_those_that_nobody_gave) {
  std::mutex mutex;
  std::vector<Reply> waiting;
  std::condition_variable came;
  auto server = Server::start(plain(), [&](const Request& request, Reply reply) {
    if (request.path == "/drop") return;
    const std::lock_guard lock(mutex);
    waiting.push_back(std::move(reply));
    came.notify_one();
  });
  ASSERT_TRUE(server);
  Raw client((*server)->port());
  ASSERT_TRUE(client.send(post("/later", "x")));
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(came.wait_for(lock, 20s, [&] { return !waiting.empty(); }));
    std::move(waiting.front()).send(200, "from afar");
    waiting.clear();
  }
  EXPECT_TRUE(client.receive("from afar").ends_with("from afar"));
  ASSERT_TRUE(client.send(post("/drop", "x")));
  const auto answer = client.receive("unanswered");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503")) << answer;
}

TEST(KsnServer, ends_while_answers_are_still_owed) {
  std::mutex mutex;
  std::vector<Reply> owed;
  auto server = Server::start(plain(), [&](const Request&, Reply reply) {
    const std::lock_guard lock(mutex);
    owed.push_back(std::move(reply));
  });
  ASSERT_TRUE(server);
  Raw client((*server)->port());
  ASSERT_TRUE(client.send(post("/x", "x")));
  ASSERT_TRUE(wait_for([&] {
    const std::lock_guard lock(mutex);
    return owed.size() == 1;
  }));
  server->reset();
  EXPECT_EQ(client.receive(""), "");
  std::move(owed.front()).send(200, "too late");  // must not crash
}

TEST(KsnServer, ends_when_it_has_answered_what_it_was_asked) {
  std::mutex mutex;
  std::vector<Reply> owed;
  auto server = Server::start(plain(), [&](const Request&, Reply reply) {
    const std::lock_guard lock(mutex);
    owed.push_back(std::move(reply));
  });
  ASSERT_TRUE(server);
  Raw idle((*server)->port()), client((*server)->port());
  ASSERT_TRUE(client.send(post("/x", "x")));
  ASSERT_TRUE(wait_for([&] {
    const std::lock_guard lock(mutex);
    return owed.size() == 1 && (*server)->counters().connections == 2;
  }));
  std::thread leaving([&] { EXPECT_TRUE((*server)->drain(60s)); });
  EXPECT_EQ(idle.receive(""), "");
  EXPECT_EQ((*server)->counters().connections, 1u);
  {
    const std::lock_guard lock(mutex);
    std::move(owed.front()).send(200, "in time");
  }
  const auto answer = client.receive("");
  EXPECT_TRUE(answer.ends_with("in time")) << answer;
  EXPECT_NE(answer.find("Connection: close"), std::string::npos) << answer;
  leaving.join();
  EXPECT_EQ((*server)->counters().connections, 0u);
}

TEST(KsnServer, turns_away_what_is_beyond_its_limits) {
  auto settings = plain();
  settings.most_per_peer = 2;
  auto server = Server::start(settings, echo);
  ASSERT_TRUE(server);
  Raw one((*server)->port()), two((*server)->port());
  ASSERT_TRUE(one.send(post("/x", "1")) && two.send(post("/x", "2")));
  EXPECT_FALSE(one.receive("\r\n\r\n1").empty());
  EXPECT_FALSE(two.receive("\r\n\r\n2").empty());
  Raw three((*server)->port());
  EXPECT_EQ(three.receive(""), "");
  EXPECT_TRUE(wait_for([&] { return (*server)->counters().turned_away == 1; }));
  ASSERT_TRUE(one.send(post("/x", "still here")));
  EXPECT_FALSE(one.receive("still here").empty());
}

TEST(KsnServer, lets_no_peer_take_the_memory_of_all) {
  auto settings = plain();
  settings.most_held_bytes = 100'000;
  settings.most_held_per_peer = 50'000;
  auto server = Server::start(settings, echo);
  ASSERT_TRUE(server);
  Raw announces((*server)->port()), more((*server)->port()), other((*server)->port(), "127.0.0.2");
  const std::string head = "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ", body(19'997, 'x');  // an echo is held beside what it repeats
  ASSERT_TRUE(announces.send(head + "20000\r\n\r\n"));
  EXPECT_NE(announces.receive("\r\n\r\n").find("100 Continue"), std::string::npos);
  ASSERT_TRUE(more.send(head + "40000\r\n\r\n"));
  EXPECT_NE(more.receive("").find("too much is being sent at once"), std::string::npos) << "what it announced counts";
  ASSERT_TRUE(other.send(post("/x", body + "end")));
  EXPECT_TRUE(other.receive("end").starts_with("HTTP/1.1 200"));
  // What it has sent is given back, to it and to all.
  ASSERT_TRUE(announces.send(body + "end"));
  EXPECT_TRUE(announces.receive("end").starts_with("HTTP/1.1 200"));
  ASSERT_TRUE(announces.send(post("/x", body + "end")));
  EXPECT_TRUE(announces.receive("end").starts_with("HTTP/1.1 200"));
}

TEST(KsnServer, ends_who_sends_too_slowly_and_who_takes_nothing) {
  auto settings = plain();
  settings.request_timeout = 300ms;
  settings.send_timeout = 300ms;
  const std::string large(8u << 20, 'x');
  auto server = Server::start(settings, [&](const Request&, Reply reply) { std::move(reply).send(200, large); });
  ASSERT_TRUE(server);
  Raw slow((*server)->port()), silent((*server)->port()), idle((*server)->port());
  ASSERT_TRUE(slow.send("POST / HT"));
  silent.shrink();
  ASSERT_TRUE(silent.send(post("/x", "1")));
  ASSERT_TRUE(idle.connected());
  EXPECT_EQ(slow.receive(""), "");  // the server ends it
  EXPECT_TRUE(wait_for([&] { return (*server)->counters().broken_off >= 2; }));
}

TEST(KsnServer, ends_who_is_idle) {
  auto settings = plain();
  std::unique_ptr<Server> server;
  std::string answer;
  // Longer each time, for on a slow computer it may have ended the client before that asked.
  for (settings.idle = 100ms; answer.empty(); settings.idle *= 2) {
    ASSERT_LT(settings.idle, 15s);
    auto started = Server::start(settings, echo);
    ASSERT_TRUE(started);
    server = std::move(*started);
    Raw client(server->port());
    (void)client.send(post("/x", "1"));
    answer = client.receive("");
  }
  EXPECT_TRUE(answer.ends_with("\r\n\r\n1")) << answer;
  EXPECT_TRUE(wait_for([&] { return server->counters().connections == 0; }));
  EXPECT_EQ(server->counters().broken_off, 0u);
}

TEST(KsnServer, a_handler_that_throws_costs_one_answer) {
  auto server = Server::start(plain(), [](const Request&, Reply) { throw std::runtime_error("a defect"); });
  ASSERT_TRUE(server);
  Raw client((*server)->port());
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(client.send(post("/x", "1")));
    EXPECT_TRUE(client.receive("unanswered").starts_with("HTTP/1.1 503"));
  }
}

// Protobuf takes no half character: nobody could read why.
TEST(KsnServer, refuses_in_words_that_can_be_read) {
  std::string accents = "x";
  for (int i = 0; i < 200; ++i) accents += "\u00e9";
  for (const auto& text : {accents, "\xff" + std::string(300, 'b')}) {
    v1::Refusal seen;
    ASSERT_TRUE(seen.ParseFromString(refusal(v1::Refusal::UNAVAILABLE, text)));
    EXPECT_GT(seen.text().size(), 250u);
    EXPECT_LE(seen.text().size(), 256u);
  }
}

TEST(KsnServer, names_what_is_wrong_with_its_settings) {
  auto settings = plain();
  settings.address = "nowhere";
  auto server = Server::start(settings, echo);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().message, "listen on nowhere:0: this is no network address");
  Settings secure;
  secure.certificate_file = "/nonexistent.pem";
  server = Server::start(secure, echo);
  ASSERT_FALSE(server);
  EXPECT_TRUE(server.error().message.starts_with("TLS certificate: ")) << server.error().message;
  const auto first = Server::start(plain(), echo);
  auto taken = plain();
  taken.port = (*first)->port();
  server = Server::start(taken, echo);
  ASSERT_FALSE(server);
  EXPECT_NE(server.error().message.find("Address already in use"), std::string::npos);
}

// Many clients of libcurl at once, over TLS, HTTP/1.1 and HTTP/2, answered by several threads.
class TlsTest : public ::testing::TestWithParam<long> {};

std::size_t collect(char* data, std::size_t size, std::size_t count, void* into) {
  static_cast<std::string*>(into)->append(data, size * count);
  return size * count;
}

TEST_P(TlsTest, answers_many_clients_each_with_its_own) {
  const picket::support::ServerFolder folder;
  const auto files = tls_server::own_certificate(folder.path(), {"localhost", "127.0.0.1"});
  ASSERT_TRUE(files);
  Settings settings;
  settings.certificate_file = files->certificate;
  settings.key_file = files->key;
  settings.threads = 2;
  std::mutex mutex;
  std::condition_variable more;
  std::vector<std::pair<std::string, Reply>> queue;
  bool over = false;
  auto server = Server::start(settings, [&](const Request& request, Reply reply) {
    if (request.body.size() % 2 == 0) return echo(request, std::move(reply));
    const std::lock_guard lock(mutex);
    queue.emplace_back(request.body, std::move(reply));
    more.notify_one();
  });
  ASSERT_TRUE(server) << server.error().message;
  std::thread answerer([&] {
    std::unique_lock lock(mutex);
    while (!over) {
      more.wait(lock, [&] { return over || !queue.empty(); });
      auto taken = std::exchange(queue, {});
      lock.unlock();
      for (auto& [body, reply] : taken) std::move(reply).send(200, std::move(body));
      lock.lock();
    }
  });
  std::atomic<int> right{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c)
    clients.emplace_back([&, c] {
      CURL* easy = ::curl_easy_init();
      const std::string url = "https://localhost:" + std::to_string((*server)->port()) + "/ksn/v1/ask";
      for (int i = 0; i < 20; ++i) {
        const std::string body(static_cast<std::size_t>(1 + c * 7001 + i * 13) % 65'000, static_cast<char>('a' + c));
        std::string got;
        ::curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
        ::curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, GetParam());
        ::curl_easy_setopt(easy, CURLOPT_CAINFO, files->certificate.c_str());
        ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
        ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
        ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &collect);
        ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, &got);
        ::curl_easy_setopt(easy, CURLOPT_TIMEOUT, 60L);
        ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        long status = 0, version = 0;
        if (::curl_easy_perform(easy) != CURLE_OK) continue;
        ::curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        ::curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
        if (status == 200 && got == body && version == (GetParam() == CURL_HTTP_VERSION_2TLS ? CURL_HTTP_VERSION_2_0 : CURL_HTTP_VERSION_1_1)) ++right;
      }
      ::curl_easy_cleanup(easy);
    });
  for (auto& client : clients) client.join();
  {
    const std::lock_guard lock(mutex);
    over = true;
    more.notify_one();
  }
  answerer.join();
  EXPECT_EQ(right.load(), 160);
}

// As a new version of a plugin takes over from the old one: each gives its socket to the next, and ends what it was asked.
TEST_P(TlsTest, is_followed_by_others_without_a_failed_request) {
  const picket::support::ServerFolder folder;
  const auto files = tls_server::own_certificate(folder.path(), {"localhost", "127.0.0.1"});
  ASSERT_TRUE(files);
  Settings settings;
  settings.certificate_file = files->certificate;
  settings.key_file = files->key;
  settings.threads = 2;
  auto server = Server::start(settings, echo);
  ASSERT_TRUE(server) << server.error().message;
  const auto port = (*server)->port();
  std::atomic<bool> over{false};
  std::atomic<unsigned> right{0};
  std::mutex mutex;
  std::string wrong;
  std::vector<std::thread> clients;
  for (int c = 0; c < 3; ++c)
    clients.emplace_back([&, c] {
      CURL* easy = ::curl_easy_init();
      const std::string url = "https://localhost:" + std::to_string(port) + "/ksn/v1/ask";
      std::string got;
      ::curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
      ::curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, GetParam());
      ::curl_easy_setopt(easy, CURLOPT_CAINFO, files->certificate.c_str());
      ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &collect);
      ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, &got);
      ::curl_easy_setopt(easy, CURLOPT_TIMEOUT, 60L);
      ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
      ::curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, c == 0 ? 1L : 0L);
      for (int i = 0; !over; ++i) {
        const std::string body(static_cast<std::size_t>(1 + i * 1301) % 65'000, static_cast<char>('a' + c));
        got.clear();
        ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
        ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
        const auto code = ::curl_easy_perform(easy);
        long status = 0;
        ::curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        if (code == CURLE_OK && status == 200 && got == body) {
          ++right;
          continue;
        }
        const std::lock_guard lock(mutex);
        wrong += "client " + std::to_string(c) + ": " + ::curl_easy_strerror(code) + ", status " + std::to_string(status) + "\n";
        break;
      }
      ::curl_easy_cleanup(easy);
    });
  for (int version = 0; version < 3; ++version) {
    const auto then = right.load();
    EXPECT_TRUE(wait_for([&] { return right > then + 20 || over; }));
    // The old one first answers and closes; who connects meanwhile waits in the socket.
    auto listener = (*server)->drain(60s);
    EXPECT_EQ((*server)->counters().connections, 0u);
    server->reset();
    server = Server::start(settings, echo, std::move(listener));
    ASSERT_TRUE(server) << server.error().message;
    EXPECT_EQ((*server)->port(), port);
  }
  const auto then = right.load();
  EXPECT_TRUE(wait_for([&] { return right > then + 20; }));
  over = true;
  for (auto& client : clients) client.join();
  EXPECT_EQ(wrong, "");
}

INSTANTIATE_TEST_SUITE_P(Versions, TlsTest, ::testing::Values(long{CURL_HTTP_VERSION_1_1}, long{CURL_HTTP_VERSION_2TLS}));

}  // namespace
