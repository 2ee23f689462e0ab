#include "well.hpp"
class Bad : public Well {
 public:
  using Well::Well;
  ~Bad() { host_.publish("test.bad.said", "", "", "bye"); }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
