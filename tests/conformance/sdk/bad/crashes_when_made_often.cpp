#include "well.hpp"
class Bad : public Well {
 public:
  explicit Bad(Host host) : Well(host) {
    static int made = 0;
    if (++made == 50) std::abort();
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
