// A third party's plugin in one file: publishes its setting `in_use` as the state picket.ksn.state.
#include <picket/plugin.hpp>

#include "picket/ksn/v1/state.pb.h"

namespace {

class KsnStandIn {
 public:
  explicit KsnStandIn(picket::plugin::Host host) : host_(host) {}

  picket_status start(std::string_view settings, std::uint64_t revision) { return apply(settings, revision); }
  void stop() {}

  // The host has validated and completed the settings: {"in_use":true} or {"in_use":false}.
  picket_status apply(std::string_view settings, std::uint64_t revision) {
    picket::ksn::v1::KsnState state;
    state.set_in_use(settings.find("true") != std::string_view::npos);
    state.set_text(state.in_use() ? "Enabled (stand-in)" : "Disabled (stand-in)");
    const picket_status status = host_.publish("picket.ksn.state", "", "application/x-protobuf; messageType=picket.ksn.v1.KsnState", state.SerializeAsString());
    if (status != PICKET_OK) return host_.fail(status, "cannot publish picket.ksn.state");
    host_.observed(revision, PICKET_HEALTH_HEALTHY);
    return PICKET_OK;
  }

 private:
  picket::plugin::Host host_;
};

}  // namespace

PICKET_PLUGIN("org.example.ksn-stand-in", KsnStandIn)
