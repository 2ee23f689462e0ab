#include "well.hpp"

#include <fstream>
// From a thread of its own, and on the way there through "..".
class Bad : public Well {
 public:
  using Well::Well;
  picket_status start(std::string_view settings, std::uint64_t revision) {
    std::thread([] { std::ofstream("/nonexistent/picket/../bad/log.txt") << "started\n"; }).join();
    return Well::start(settings, revision);
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
