// What a message between plugins costs through the C contract: rate against ZeroMQ inproc, latency, and the round trip to a child against
// a bare SOCK_SEQPACKET pair of two processes. Prints JSON lines.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "conformance/host/host_fixture.hpp"

using namespace picket;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::size_t message_size = 256;
constexpr std::uint64_t rate_messages = 2'000'000, round_trips = 20'000;
constexpr int runs = 5;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "plugin_bench: %s\n", why.c_str());
  std::exit(1);
}

// The fixture is a test's; here nobody judges it but us.
class Bench : public test::HostFixture {
 public:
  explicit Bench(bool echo_in_process) {
    grant_in_process("org.picket.bench.client");
    if (echo_in_process) grant_in_process("org.picket.bench.echo");
    install({.library = PICKET_BENCH_CLIENT, .id = "org.picket.bench.client", .callback_ms = 10'000, .topics = R"({"publishes":[{"topic":"bench.event","kind":"event"},
      {"topic":"bench.ping","kind":"event"}],"subscribes":["bench.pong","bench.done"],"asks":["bench.echo"],"answers":["bench.run"]})"});
    install({.library = PICKET_BENCH_ECHO, .id = "org.picket.bench.echo", .callback_ms = 10'000, .topics = R"({"publishes":[{"topic":"bench.pong","kind":"event"},
      {"topic":"bench.done","kind":"event"}],"subscribes":["bench.event","bench.ping"],"answers":["bench.echo"]})", .limits = R"(,"queue_messages":4096,"queue_bytes":8388608)"});
    start();
    for (const auto& status : host->list())
      if (status.state != plugin_host::State::running) give_up(status.id + ": " + status.text);
  }
  void TestBody() override {}

  std::vector<double> run(const std::string& what) {
    auto answer = ask("bench.run", what, std::chrono::minutes(2));
    if (!answer) give_up(what + ": " + answer.error().message);
    std::vector<double> out;
    char* at = answer->data();
    for (char* end = nullptr;; at = end) {
      const double value = std::strtod(at, &end);
      if (end == at) return out;
      out.push_back(value);
    }
  }
};

template <class Run>
double best(Run&& run, bool highest) {
  std::vector<double> all;
  for (int i = 0; i < runs; ++i) all.push_back(run());
  return highest ? *std::max_element(all.begin(), all.end()) : *std::min_element(all.begin(), all.end());
}

double zmq_rate() {
  void* context = ::zmq_ctx_new();
  void* pull = ::zmq_socket(context, ZMQ_PULL);
  if (::zmq_bind(pull, "inproc://bench") != 0) give_up("zmq_bind");
  const auto begin = Clock::now();
  std::thread sender([&] {
    void* push = ::zmq_socket(context, ZMQ_PUSH);
    ::zmq_connect(push, "inproc://bench");
    const std::string payload(message_size, 'x');
    for (std::uint64_t i = 0; i < rate_messages; ++i) ::zmq_send(push, payload.data(), payload.size(), 0);
    ::zmq_close(push);
  });
  char buffer[message_size];
  for (std::uint64_t i = 0; i < rate_messages; ++i)
    if (::zmq_recv(pull, buffer, sizeof buffer, 0) != static_cast<int>(message_size)) give_up("zmq_recv");
  const std::chrono::duration<double> took = Clock::now() - begin;
  sender.join();
  ::zmq_close(pull);
  ::zmq_ctx_term(context);
  return static_cast<double>(rate_messages) / took.count();
}

// Median round trip in nanoseconds.
double bare_socket_round_trip() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) != 0) give_up("socketpair");
  const pid_t child = ::fork();
  char buffer[message_size];
  if (child == 0) {
    ::close(fds[0]);
    for (ssize_t got = 0; (got = ::recv(fds[1], buffer, sizeof buffer, 0)) > 0;)
      if (::send(fds[1], buffer, static_cast<std::size_t>(got), 0) != got) break;
    ::_exit(0);
  }
  ::close(fds[1]);
  std::vector<double> times;
  std::fill(std::begin(buffer), std::end(buffer), 'p');
  for (std::uint64_t i = 0; i < round_trips; ++i) {
    const auto begin = Clock::now();
    if (::send(fds[0], buffer, sizeof buffer, 0) < 0 || ::recv(fds[0], buffer, sizeof buffer, 0) < 0) give_up("bare socket");
    times.push_back(std::chrono::duration<double, std::nano>(Clock::now() - begin).count());
  }
  ::close(fds[0]);
  ::waitpid(child, nullptr, 0);
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

void print(const char* name, double ours, double peer, const char* peer_name, const char* unit, const char* better, const char* goal, const char* judge) {
  std::printf(R"({"name":"%s","ours":%.3f,"peer":%s,"peer_name":"%s","unit":"%s","better":"%s","goal":"%s"%s})" "\n", name, ours,
              peer > 0 ? std::to_string(peer).c_str() : "null", peer_name, unit, better, goal, judge);
  std::fflush(stdout);
}

}  // namespace

int main() {
  {
    Bench bench(true);
    // Turn about, so that whatever else the machine does hits both.
    double ours = 0, peer = 0;
    for (int i = 0; i < runs; ++i) {
      ours = std::max(ours, static_cast<double>(rate_messages) / (bench.run("rate " + std::to_string(rate_messages))[0] * 1e-9));
      peer = std::max(peer, zmq_rate());
    }
    print("plugins in process: 256-byte events", ours, peer, "ZeroMQ inproc", "1/s", "higher", ">= ZeroMQ inproc", R"(,"goal_ratio":1)");
    const double pingpong = best([&] { return bench.run("pingpong " + std::to_string(round_trips))[0]; }, false);
    print("plugins in process: one message, p50", pingpong / 2000, 0, "", "us", "lower", "< 2 us", R"(,"goal_value":2)");
    const double request = best([&] { return bench.run("roundtrip " + std::to_string(round_trips))[0]; }, false);
    print("plugins in process: request and reply, p50", request / 1000, 0, "", "us", "lower", "", "");
  }
  Bench bench(false);
  double ours = 1e12, peer = 1e12, tail = 0;
  for (int i = 0; i < runs; ++i) {
    const auto got = bench.run("roundtrip " + std::to_string(round_trips));
    if (got[0] < ours) ours = got[0], tail = got[1];
    peer = std::min(peer, bare_socket_round_trip());
  }
  print("isolated plugin: request and reply, p50", ours / 1000, peer / 1000, "bare SOCK_SEQPACKET", "us", "lower", "< 20 us where the bare pair takes 4 us", R"(,"goal_ratio":5)");
  print("isolated plugin: request and reply, p99", tail / 1000, 0, "", "us", "lower", "", "");
  return 0;
}
