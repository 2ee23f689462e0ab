// Leaves a thread running that goes on calling the host after stop, and after destroy; it also calls set_error, which is for the plugin thread.
// What it was answered after stop is told by the next instance on test.bad.
#include <atomic>
#include <chrono>
#include <thread>

#include <picket/plugin.hpp>

using namespace picket::plugin;

namespace {
std::atomic<bool> end{false}, stopped{false};
std::atomic<std::uint64_t> denied{0}, others{0};
std::thread& stray() {  // never joined by anybody: on purpose, and reachable, so that no leak checker takes it for a mistake
  static auto* thread = new std::thread;
  return *thread;
}
}  // namespace

class Stray {
 public:
  explicit Stray(Host host) : host_(host) {}
  picket_status start(std::string_view, std::uint64_t) {
    if (stray().joinable()) {
      end = true;
      stray().join();
    } else {
      stray() = std::thread([host = host_] {
        while (!end) {
          const bool was_stopped = stopped;
          host.raw()->set_error(host.raw(), bytes("from the wrong thread"));
          const auto status = host.publish("test.event", "", "", "still here");
          if (was_stopped) ++(status == PICKET_E_DENIED ? denied : others);
          host.log(PICKET_LOG_DEBUG, "still here");
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
      });
    }
    return PICKET_OK;
  }
  void stop() { stopped = false; }
  ~Stray() { stopped = true; }
  void on_request(std::uint64_t id, const Message&) {
    host_.respond(id, PICKET_OK, "", "denied " + std::to_string(denied.load()) + " others " + std::to_string(others.load()));
  }

 private:
  Host host_;
};

PICKET_PLUGIN("org.picket.test.bad", Stray)
