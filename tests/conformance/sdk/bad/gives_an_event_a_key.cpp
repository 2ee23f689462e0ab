#include "well.hpp"
class Bad : public Well {
 public:
  using Well::Well;
  void on_message(const Message& message) { host_.publish("test.bad.said", "key", message.content_type, message.payload); }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
