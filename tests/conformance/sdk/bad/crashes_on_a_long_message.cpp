#include "well.hpp"
class Bad : public Well {
 public:
  using Well::Well;
  void on_message(const Message& message) {
    if (message.payload.size() > 100'000) std::abort();
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
