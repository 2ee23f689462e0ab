#include "well.hpp"
// The first start of an instance works, a later one does not.
class Bad : public Well {
 public:
  using Well::Well;
  picket_status start(std::string_view settings, std::uint64_t revision) {
    if (started_) return host_.fail(PICKET_E_CONFLICT, "cannot start again");
    started_ = true;
    return Well::start(settings, revision);
  }
  // Without picket.settings/1 new settings would mean a second start.
  picket_status apply(std::string_view, std::uint64_t) { return PICKET_OK; }

 private:
  bool started_ = false;
};
PICKET_PLUGIN("test.bad.plugin", Bad)
