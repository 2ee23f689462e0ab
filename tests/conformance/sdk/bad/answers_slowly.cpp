#include "well.hpp"
// Within the usual budget of a call; with "callback_ms": 10 it is not.
class Slow : public Well {
 public:
  using Well::Well;
  void on_request(std::uint64_t id, const Message& request) {
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
    Well::on_request(id, request);
  }
};
PICKET_PLUGIN("test.bad.plugin", Slow)
