#include "well.hpp"
class Bad : public Well {
 public:
  using Well::Well;
  picket_status start(std::string_view settings, std::uint64_t revision) {
    const auto* health = static_cast<const picket_host_health*>(host_.raw()->get_extension(host_.raw(), PICKET_EXT_HEALTH));
    if (health == nullptr) return host_.fail(PICKET_E_UNSUPPORTED, "cannot live without picket.health/1");
    return Well::start(settings, revision);
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
