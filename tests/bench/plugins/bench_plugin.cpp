// Both sides of the plugin benchmarks, as plugins are: -DECHO answers, the other asks and measures.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include <picket/plugin.hpp>

using namespace picket::plugin;
using Clock = std::chrono::steady_clock;

#ifdef ECHO
// bench.echo: the same back. bench.ping: bench.pong. bench.event: counted, the last one (its payload begins with 'L') is told by bench.done.
class Echo {
 public:
  explicit Echo(Host host) : host_(host) {}
  picket_status start(std::string_view, std::uint64_t) {
    host_.subscribe("bench.event");
    return host_.subscribe("bench.ping");
  }
  void stop() {}
  void on_request(std::uint64_t id, const Message& request) { host_.respond(id, PICKET_OK, "", request.payload); }
  void on_message(const Message& message) {
    if (message.topic == "bench.ping") {
      host_.publish("bench.pong", "", "", message.payload);
      return;
    }
    ++count_;
    if (!message.payload.empty() && message.payload[0] == 'L') {
      host_.publish("bench.done", "", "", std::to_string(count_));
      count_ = 0;
    }
  }

 private:
  Host host_;
  std::uint64_t count_ = 0;
};
PICKET_PLUGIN("org.picket.bench.echo", Echo)

#else
// bench.run with "rate N", "pingpong N" or "roundtrip N": answers nanoseconds (of all, or the median of one).
class Client {
 public:
  explicit Client(Host host) : host_(host) {}
  picket_status start(std::string_view, std::uint64_t) {
    host_.subscribe("bench.pong");
    return host_.subscribe("bench.done");
  }
  void stop() {
    if (sender_.joinable()) sender_.join();
  }
  void on_request(std::uint64_t id, const Message& request) {
    request_ = id;
    const auto space = request.payload.find(' ');
    count_ = std::strtoull(std::string(request.payload.substr(space + 1)).c_str(), nullptr, 10);
    const auto mode = request.payload.substr(0, space);
    times_.clear();
    times_.reserve(count_);
    if (mode == "rate") {
      if (sender_.joinable()) sender_.join();
      sender_ = std::thread([this] { send(); });
    } else if (mode == "pingpong") {
      ping();
    } else {
      ask();
    }
  }
  void on_message(const Message& message) {
    if (message.topic == "bench.done") {
      const auto took = Clock::now() - began_;
      if (message.payload != std::to_string(count_)) {
        host_.refuse(request_, PICKET_E_INTERNAL, "lost some: " + std::string(message.payload));
      } else {
        host_.respond(request_, PICKET_OK, "", std::to_string(std::chrono::nanoseconds(took).count()));
      }
      return;
    }
    note();
    if (times_.size() == count_) finish();
    else ping();
  }
  void on_reply(std::uint64_t, picket_status status, const Message&) {
    if (status != PICKET_OK) {
      host_.refuse(request_, status, "the echo failed");
      return;
    }
    note();
    if (times_.size() == count_) finish();
    else ask();
  }

 private:
  void send() {
    const std::string payload(256, 'x'), last(256, 'L');
    began_ = Clock::now();
    for (std::uint64_t i = 1; i <= count_; ++i)
      while (host_.publish("bench.event", "", "", i == count_ ? last : payload) == PICKET_E_BUSY) std::this_thread::yield();
  }
  void ping() {
    began_ = Clock::now();
    host_.publish("bench.ping", "", "", payload_);
  }
  void ask() {
    began_ = Clock::now();
    host_.request("bench.echo", "", "", payload_, 5000, ++token_);
  }
  void note() { times_.push_back(std::chrono::nanoseconds(Clock::now() - began_).count()); }
  void finish() {
    std::sort(times_.begin(), times_.end());
    host_.respond(request_, PICKET_OK, "", std::to_string(times_[times_.size() / 2]) + " " + std::to_string(times_[times_.size() * 99 / 100]));
  }

  Host host_;
  const std::string payload_ = std::string(256, 'p');
  std::uint64_t request_ = 0, count_ = 0, token_ = 0;
  Clock::time_point began_;
  std::vector<std::int64_t> times_;
  std::thread sender_;
};
PICKET_PLUGIN("org.picket.bench.client", Client)
#endif
