#include "well.hpp"
// Good, though it never says the same twice.
class Good : public Well {
 public:
  using Well::Well;
  void on_message(const Message&) { host_.publish("test.bad.said", "", "", now() + " s"); }
  void on_request(std::uint64_t id, const Message&) { host_.respond(id, PICKET_OK, "", now()); }

 private:
  static std::string now() { return std::to_string(std::chrono::system_clock::now().time_since_epoch().count()); }
};
PICKET_PLUGIN("test.bad.plugin", Good)
