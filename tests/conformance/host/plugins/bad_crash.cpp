// Dies of a signal: in create, start, message, timer or stop; with -DIN_CONSTRUCTOR in a static constructor.
#include <csignal>

#include <picket/plugin.hpp>

#include "when.hpp"

using namespace picket::plugin;

[[noreturn]] static void die() {
  std::signal(SIGSEGV, SIG_DFL);  // also under a sanitizer, which would turn it into an exit
  std::raise(SIGSEGV);
  for (;;) {
  }
}

#ifdef IN_CONSTRUCTOR
[[maybe_unused]] static const bool died = (die(), true);
#endif

class Crash {
 public:
  explicit Crash(Host host) : host_(host) {}
  picket_status start(std::string_view settings, std::uint64_t) {
    when_ = read_when(settings);
    if (when_ == "start") die();
    if (when_ == "timer") host_.set_timer(1, 20);
    return host_.subscribe("test.event");
  }
  void stop() {
    if (when_ == "stop") die();
  }
  void on_message(const Message&) {
    if (when_ == "message") die();
  }
  void on_request(std::uint64_t id, const Message&) {
    if (when_ == "message") die();
    host_.respond(id, PICKET_OK, "", "alive");
  }
  void on_timer(std::uint64_t) { die(); }

 private:
  Host host_;
  std::string when_;
};

PICKET_PLUGIN("org.picket.test.bad", Crash)
