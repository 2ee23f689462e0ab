// Does what its manifest does not allow, and answers test.bad with the statuses it got: publish subscribe request answer-by-guess.
#include <picket/plugin.hpp>

using namespace picket::plugin;

class Lies {
 public:
  explicit Lies(Host host) : host_(host) {}
  picket_status start(std::string_view, std::uint64_t) {
    const picket_status got[] = {
        host_.publish("picket.component.active", "yara-rules", "", "forged"), host_.subscribe("picket.policy.secret"), host_.subscribe("*"),
        host_.request("picket.plugin.restart", "", "", "", 1000, 1),         host_.respond(123456, PICKET_OK, "", "not asked"),
        host_.publish("test.event", "", "", std::string(PICKET_BUS_MAX_PAYLOAD + 1, 'x')),
    };
    for (const auto status : got) got_ += std::to_string(status) + " ";
    return PICKET_OK;
  }
  void stop() {}
  void on_request(std::uint64_t id, const Message&) {
    const auto first = host_.respond(id, PICKET_OK, "", got_);
    const auto second = host_.respond(id, PICKET_OK, "", "twice");
    if (first == PICKET_OK && second != PICKET_E_NOT_FOUND) host_.report(PICKET_HEALTH_FAILED, "could answer twice");
  }

 private:
  Host host_;
  std::string got_;
};

PICKET_PLUGIN("org.picket.test.bad", Lies)
