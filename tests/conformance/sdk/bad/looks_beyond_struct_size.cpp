#include "well.hpp"
class Bad : public Well {
 public:
  using Well::Well;
  picket_status start(std::string_view settings, std::uint64_t revision) {
    const auto* health = static_cast<const picket_host_health*>(host_.raw()->get_extension(host_.raw(), PICKET_EXT_HEALTH));
    if (health != nullptr) health->report(host_.raw(), PICKET_HEALTH_HEALTHY, {nullptr, 0});
    return Well::start(settings, revision);
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
