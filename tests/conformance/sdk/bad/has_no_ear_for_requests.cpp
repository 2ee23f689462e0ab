#include "well.hpp"
// Its manifest says that it answers, and it has no on_request.
class Bad {
 public:
  explicit Bad(Host host) : well_(host) {}
  picket_status start(std::string_view settings, std::uint64_t revision) { return well_.start(settings, revision); }
  void stop() noexcept {}
  void on_message(const Message& message) { well_.on_message(message); }

 private:
  Well well_;
};
PICKET_PLUGIN("test.bad.plugin", Bad)
