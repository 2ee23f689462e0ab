#include "well.hpp"
class Bad : public Well {
 public:
  using Well::Well;
  void on_message(const Message& message) {
    if (host_.publish("test.bad.said", "", "", message.payload) == PICKET_E_BUSY) std::abort();
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
