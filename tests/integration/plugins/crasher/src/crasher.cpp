// A third party's plugin with a bug: it aborts `crash_after_ms` after each start.
#include <picket/plugin.hpp>

#include <charconv>
#include <cstdlib>

namespace {

class Crasher {
 public:
  explicit Crasher(picket::plugin::Host host) : host_(host) {}

  // The host has validated and completed the settings: {"crash_after_ms":1500}.
  picket_status start(std::string_view settings, std::uint64_t revision) {
    std::uint64_t after = 0;
    const std::size_t digit = settings.find_first_of("0123456789");
    if (digit != std::string_view::npos) std::from_chars(settings.data() + digit, settings.data() + settings.size(), after);
    if (after > 0 && host_.set_timer(1, after) != PICKET_OK) return host_.fail(PICKET_E_UNSUPPORTED, "no timer");
    host_.info(after > 0 ? "will crash in " + std::to_string(after) + " ms" : "will not crash");
    host_.observed(revision, PICKET_HEALTH_HEALTHY);
    return PICKET_OK;
  }
  void stop() { host_.cancel_timer(1); }
  void on_timer(std::uint64_t) { std::abort(); }

 private:
  picket::plugin::Host host_;
};

}  // namespace

PICKET_PLUGIN("org.example.crasher", Crasher)
