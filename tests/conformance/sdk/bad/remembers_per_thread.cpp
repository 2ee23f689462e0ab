#include "well.hpp"
// The thread that calls is always the same in a child only.
class Bad : public Well {
 public:
  using Well::Well;
  void on_message(const Message&) {
    thread_local int heard = 0;
    host_.publish("test.bad.said", "", "", std::to_string(++heard));
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
