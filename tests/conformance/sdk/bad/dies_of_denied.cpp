#include "well.hpp"
class Bad : public Well {
 public:
  using Well::Well;
  picket_status start(std::string_view settings, std::uint64_t revision) {
    if (host_.subscribe("test.bad.heard.*") == PICKET_E_DENIED) std::abort();
    return Well::start(settings, revision);
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
