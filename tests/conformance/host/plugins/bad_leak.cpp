// Takes memory until there is no more, and uses it.
#include <cstring>
#include <vector>

#include <picket/plugin.hpp>

#include "when.hpp"

using namespace picket::plugin;

class Leak {
 public:
  explicit Leak(Host host) : host_(host) {}
  picket_status start(std::string_view settings, std::uint64_t) {
    if (read_when(settings) == "start") leak();
    return host_.subscribe("test.event");
  }
  void stop() {}
  void on_request(std::uint64_t id, const Message& request) {
    if (request.payload == "leak") leak();
    host_.respond(id, PICKET_OK, "", "alive");
  }

 private:
  // noexcept: running out of memory ends the process, as it does in most programs.
  void leak() noexcept {
    for (;;) kept_.emplace_back(std::size_t{1} << 20, 'x');
  }
  Host host_;
  std::vector<std::vector<char>> kept_;
};

PICKET_PLUGIN("org.picket.test.bad", Leak)
