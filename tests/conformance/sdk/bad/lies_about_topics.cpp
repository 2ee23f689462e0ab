#include "well.hpp"
class Bad : public Well {
 public:
  using Well::Well;
  void on_message(const Message&) { host_.publish("picket.host", "", "", "I am the host"); }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
