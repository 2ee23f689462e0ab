#include "well.hpp"
// Good, though once it was asked what no other case asks it takes its time to stop.
class Slow : public Well {
 public:
  using Well::Well;
  void on_request(std::uint64_t id, const Message& request) {
    is_slow_ = request.payload.find("{\"a\":\x08\x96") != std::string_view::npos;
    Well::on_request(id, request);
  }
  void stop() noexcept {
    if (is_slow_) std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  }

 private:
  bool is_slow_ = false;
};
PICKET_PLUGIN("test.bad.plugin", Slow)
