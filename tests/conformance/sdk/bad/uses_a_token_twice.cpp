#include "well.hpp"
class Bad : public Well {
 public:
  using Well::Well;
  picket_status start(std::string_view settings, std::uint64_t revision) {
    for (int i = 0; i < 2; ++i) host_.request("test.other.thing", "", "", "?", 1000, 7);
    return Well::start(settings, revision);
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
