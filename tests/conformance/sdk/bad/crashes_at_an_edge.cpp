#include "well.hpp"
// The least that its schema allows is too little for it.
class Bad : public Well {
 public:
  using Well::Well;
  picket_status apply(std::string_view settings, std::uint64_t) {
    if (settings.find("\"count\":1,") != std::string_view::npos) std::abort();
    return PICKET_OK;
  }
};
PICKET_PLUGIN("test.bad.plugin", Bad)
