// A round trip over the wire: a thread with a socket, as an isolated plugin has it, asks a peer in the process and gets the
// answer; against two threads that pass the same bytes over a bare SOCK_SEQPACKET pair.
#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>

#include "bench/report.hpp"
#include "bus/bus.hpp"
#include "bus/wire/bridge.hpp"
#include "bus/wire/socket.hpp"
#include "runtime/executor.hpp"
#include "runtime/io_loop.hpp"

namespace picket::bus::wire {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kTrips = 20'000;
constexpr std::size_t kSize = 256;

double p50(std::vector<double>& times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

double bare() {
  auto pair = *socket_pair();
  const auto wait = [](int fd) {
    struct pollfd one{fd, POLLIN, 0};
    ::poll(&one, 1, -1);
  };
  std::thread echo([&, fd = pair.second.get()] {
    char buffer[512];
    for (int i = 0; i < kTrips; ++i) {
      ssize_t got = 0;
      while ((got = ::recv(fd, buffer, sizeof buffer, 0)) < 0) wait(fd);
      (void)!::send(fd, buffer, static_cast<std::size_t>(got), 0);
    }
  });
  const std::string packet(kSize + kHeaderSize, 'x');
  std::vector<double> times;
  char buffer[512];
  for (int i = 0; i < kTrips; ++i) {
    const auto began = Clock::now();
    (void)!::send(pair.first.get(), packet.data(), packet.size(), 0);
    while (::recv(pair.first.get(), buffer, sizeof buffer, 0) < 0) wait(pair.first.get());
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - began).count());
  }
  echo.join();
  return p50(times);
}

class Answerer final : public Handler {
 public:
  void on_request(RequestId id, const MessagePtr& m) override { (void)peer->respond(id, kOk, "", m->payload()); }
  std::unique_ptr<Peer> peer;
};

double bridged() {
  const auto executor = runtime::Executor::make(2);
  const auto router = Router::make(*executor);
  const auto loop = runtime::IoLoop::make("bench-loop");
  Answerer answerer;
  answerer.peer = *router->attach({.name = "answerer", .allow = {.answers = {"bench.question"}}}, answerer);
  auto pair = *socket_pair();
  auto bridge = *Bridge::make(*router, {.name = "child", .allow = {.asks = {"bench.question"}}}, *loop, std::move(pair.first), {});
  const std::string payload(kSize, 'x');
  std::string buffer;
  std::vector<double> times;
  for (int i = 0; i < kTrips; ++i) {
    const auto began = Clock::now();
    (void)send(pair.second.get(), {.type = Type::request, .token = 1, .number = 10'000, .topic = "bench.question", .payload = payload}, std::chrono::seconds(5));
    if (const auto frame = receive(pair.second.get(), buffer, std::chrono::seconds(5)); !frame || frame->status != kOk) return 0;
    times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - began).count());
  }
  bridge.reset();
  answerer.peer.reset();
  return p50(times);
}

int run() {
  double peer = 1e9;
  double ours = 1e9;
  for (int i = 0; i < 3; ++i) {
    peer = std::min(peer, bare());
    ours = std::min(ours, bridged());
  }
  bench::report({.name = "bus.wire_round_trip_p50", .ours = ours, .peer = peer, .peer_name = "bare SOCK_SEQPACKET pair", .unit = "us", .better = "lower",
                 .goal = "p50 under 20 us where the bare pair takes 4 us", .goal_ratio = 5.0});
  return 0;
}

}  // namespace
}  // namespace picket::bus::wire

int main() { return picket::bus::wire::run(); }
