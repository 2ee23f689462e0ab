#include "well.hpp"
// Insists on working off all that it heard.
class Bad : public Well {
 public:
  using Well::Well;
  void on_message(const Message&) { ++waiting_; }
  void stop() noexcept {
    if (waiting_ > 1000) std::this_thread::sleep_for(std::chrono::milliseconds(3500));
  }

 private:
  unsigned waiting_ = 0;
};
PICKET_PLUGIN("test.bad.plugin", Bad)
