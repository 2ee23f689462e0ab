// A bridge with a hostile child: the input is a series of packets (one byte: kind, two: length), sent over a real socket.
// The bus must stay whole: a local peer still reaches another one afterwards, and every request has its one answer.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "bus/bus.hpp"
#include "bus/wire/bridge.hpp"
#include "bus/wire/socket.hpp"
#include "runtime/executor.hpp"
#include "runtime/io_loop.hpp"

namespace {

using namespace picket;
using namespace picket::bus;
using namespace picket::bus::wire;

class Local final : public Handler {
 public:
  void on_message(const MessagePtr& m) override { if (m->sender() == "host") ++heard; }
  void on_request(RequestId id, const MessagePtr&) override {
    (void)peer->stream_write(id, "chunk");
    if (id % 2 == 0) peer->respond(id, kOk, "", "answer");
  }
  void on_reply(Token, Status, const MessagePtr&) override { ++replies; }
  std::atomic<int> heard{0}, replies{0};
  std::unique_ptr<Peer> peer;
};

struct World {
  std::unique_ptr<runtime::Executor> executor = runtime::Executor::make(2);
  std::unique_ptr<Router> router = Router::make(*executor);
  std::unique_ptr<runtime::IoLoop> loop = runtime::IoLoop::make("fuzz-loop");
};

void wait_until(const auto& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);  // libFuzzer and ctest end it sooner
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) std::abort();
    std::this_thread::yield();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* world = new World;  // reachable to the end, as LeakSanitizer wants
  Local local;
  Local host;
  local.peer = *world->router->attach({.name = "local", .allow = {.publishes = {{"l.e", Kind::event}}, .subscribes = {"*"}, .answers = {"q"}}}, local);
  host.peer = *world->router->attach({.name = "host", .allow = {.publishes = {{"h.e", Kind::event}}, .asks = {"*"}}}, host);
  (void)local.peer->subscribe("*");
  auto pair = *socket_pair();
  std::atomic<bool> closed = false;
  BridgeOptions options;
  options.on_other_frame = [](const Frame&) {};
  options.on_closed = [&](const Error&) { closed = true; };
  auto bridge = *Bridge::make(*world->router,
                              {.name = "child", .allow = {.publishes = {{"c.e", Kind::event}, {"c.s", Kind::state}}, .subscribes = {"*"}, .answers = {"c.q"}, .asks = {"q", "c.q"}},
                               .queue = {.messages = 50, .bytes = 1 << 20}},
                              *world->loop, std::move(pair.first), std::move(options));
  const int asked = host.peer->request({.topic = "c.q", .timeout = std::chrono::milliseconds(86'400'000), .credit = 10}, 1) == kOk ? 1 : 0;

  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (std::size_t at = 0; at + 3 <= input.size() && !closed;) {
    const auto length = static_cast<std::size_t>(static_cast<std::uint8_t>(input[at + 1]) | static_cast<std::uint8_t>(input[at + 2]) << 8);
    auto packet = std::string(input.substr(at + 3, length));
    at += 3 + length;
    if (packet.empty()) continue;
    const auto sent = try_send_bytes(pair.second.get(), packet);
    if (!sent && sent.error().code == Code::unavailable) break;
  }
  // The end of the connection follows everything that was sent.
  pair.second.reset();
  wait_until([&] { return closed.load(); });
  bridge.reset();
  wait_until([&] { return host.replies == asked; });
  while (host.peer->publish("h.e", "", "", "still here") != kOk) std::this_thread::yield();
  wait_until([&] { return local.heard == 1; });
  world->router->forget("c.s", "");
  return 0;
}
