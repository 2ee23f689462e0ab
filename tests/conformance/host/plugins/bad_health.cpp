// Starts, and is not well: {"when":"failed"}, {"when":"degraded"}, {"when":"later"} (well after a moment), {"when":"fails-later"}; breaks when it is told to,
// or with {"when":"breaks-when-it-hears"} at the first event that it hears.
#include <picket/plugin.hpp>

#include "when.hpp"

using namespace picket::plugin;

class Unwell {
 public:
  explicit Unwell(Host host) : host_(host) {}
  picket_status start(std::string_view settings, std::uint64_t revision) {
    when_ = read_when(settings);
    if (when_ == "failed") return host_.observed(revision, PICKET_HEALTH_FAILED, "nothing works");
    if (when_ == "degraded") return host_.observed(revision, PICKET_HEALTH_DEGRADED, "half of it works");
    if (when_ == "later") host_.report(PICKET_HEALTH_DEGRADED, "warming up");
    if (when_ == "breaks-when-it-hears") return host_.subscribe("test.event");
    if (when_ != "never") host_.set_timer(1, 400);
    return PICKET_OK;
  }
  void stop() {}
  void on_message(const Message&) { host_.report(PICKET_HEALTH_FAILED, "it broke"); }
  void on_request(std::uint64_t id, const Message& request) {
    if (request.payload == "break") host_.report(PICKET_HEALTH_FAILED, "it broke");
    host_.respond(id, PICKET_OK, "", "alive");
  }
  void on_timer(std::uint64_t) {
    if (when_ == "later") host_.report(PICKET_HEALTH_HEALTHY, "");
    else host_.report(PICKET_HEALTH_FAILED, "it broke");
  }

 private:
  Host host_;
  std::string when_;
};

PICKET_PLUGIN("org.picket.test.bad", Unwell)
