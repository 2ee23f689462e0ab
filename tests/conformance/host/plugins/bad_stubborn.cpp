// Refuses to stop: says so, and goes on.
#include <stdexcept>

#include <picket/plugin.hpp>

using namespace picket::plugin;

class Stubborn {
 public:
  explicit Stubborn(Host host) : host_(host) {}
  picket_status start(std::string_view, std::uint64_t) { return host_.set_timer(1, 10, 10); }
  void stop() { throw std::runtime_error("I will not stop"); }
  void on_timer(std::uint64_t) { host_.publish("test.event", "", "", "still here"); }
  void on_request(std::uint64_t id, const Message&) { host_.respond(id, PICKET_OK, "", "alive"); }

 private:
  Host host_;
};

PICKET_PLUGIN("org.picket.test.bad", Stubborn)
