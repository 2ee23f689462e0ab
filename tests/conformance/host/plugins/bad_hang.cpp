// Never returns: from start, message, request, stop; with -DIN_CONSTRUCTOR from a static constructor. {"when":"release"} ends an earlier
// hang of the same process, so that a test can show that what comes back late harms nobody.
#include <atomic>
#include <thread>

#include <picket/plugin.hpp>

#include "when.hpp"

using namespace picket::plugin;

static std::atomic<bool> released{false};
static void hang() {
  while (!released.load()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

#ifdef IN_CONSTRUCTOR
[[maybe_unused]] static const bool hung = (hang(), true);
#endif

class Hang {
 public:
  explicit Hang(Host host) : host_(host) {}
  picket_status start(std::string_view settings, std::uint64_t) {
    when_ = read_when(settings);
    released.store(when_ == "release");
    if (when_ == "start") {
      host_.info("hangs at start");
      hang();
    }
    return host_.subscribe("test.event");
  }
  void stop() {
    if (when_ == "stop") hang();
  }
  void on_message(const Message&) {
    if (when_ == "message") hang();
  }
  void on_request(std::uint64_t id, const Message& request) {
    if (request.payload == "hang") hang();
    host_.respond(id, PICKET_OK, "", "alive");
  }

 private:
  Host host_;
  std::string when_;
};

PICKET_PLUGIN("org.picket.test.bad", Hang)
