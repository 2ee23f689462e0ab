// Says too much, from two threads of its own, until it is stopped: {"when":"publish"}, "log", "ask", "state", "health" or "timers".
#include <atomic>
#include <thread>
#include <vector>

#include <picket/plugin.hpp>

#include "when.hpp"

using namespace picket::plugin;

class Flood {
 public:
  explicit Flood(Host host) : host_(host) {}
  picket_status start(std::string_view settings, std::uint64_t) {
    when_ = read_when(settings);
    is_stopping_ = false;
    if (when_ == "timers") {
      for (std::uint64_t id = 0; id < 64; ++id) host_.set_timer(id, 0, 1);
    } else {
      for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { flood(); });
    }
    return PICKET_OK;
  }
  void stop() {
    is_stopping_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  void on_timer(std::uint64_t) { ++said_; }
  void on_request(std::uint64_t id, const Message&) { host_.respond(id, PICKET_OK, "", std::to_string(said_.load())); }

 private:
  void flood() {
    const std::string text(1000, 'x');
    for (std::uint64_t i = 0; !is_stopping_; ++i) {
      if (when_ == "publish") host_.publish("test.event", "", "", text);
      if (when_ == "state") host_.publish("test.bad.state", std::to_string(i % 100), "", text);
      if (when_ == "log") host_.info(text);
      if (when_ == "health") host_.report(PICKET_HEALTH_DEGRADED, std::to_string(i));
      if (when_ == "ask") host_.request("test.echo", "", "", text, 1000, i);
      ++said_;
    }
  }

  Host host_;
  std::string when_;
  std::atomic<bool> is_stopping_{false};
  std::atomic<std::uint64_t> said_{0};
  std::vector<std::thread> threads_;
};

PICKET_PLUGIN("org.picket.test.bad", Flood)
