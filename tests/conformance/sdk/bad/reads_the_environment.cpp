#include "well.hpp"
// A child of the host has another environment than the agent.
class Bad : public Well {
 public:
  using Well::Well;
  void on_request(std::uint64_t id, const Message&) {
    const char* home = std::getenv("HOME");
    host_.respond(id, PICKET_OK, "", home != nullptr ? home : "nobody's");
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
