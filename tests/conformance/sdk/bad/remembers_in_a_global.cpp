#include "well.hpp"
// In the agent it outlives the instance, in a child of its own it does not.
class Bad : public Well {
 public:
  using Well::Well;
  picket_status start(std::string_view settings, std::uint64_t revision) {
    ++starts;
    return Well::start(settings, revision);
  }
  picket_status apply(std::string_view, std::uint64_t) { return PICKET_OK; }
  void on_request(std::uint64_t id, const Message&) { host_.respond(id, PICKET_OK, "", std::to_string(starts)); }

 private:
  static inline int starts = 0;
};
PICKET_PLUGIN("test.bad.plugin", Bad)
