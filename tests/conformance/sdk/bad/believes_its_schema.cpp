#include "well.hpp"
// Good: settings that its schema refuses would end it, and never come.
class Believer : public Well {
 public:
  using Well::Well;
  picket_status apply(std::string_view settings, std::uint64_t) {
    constexpr std::string_view name = "\"count\":";
    const auto at = settings.find(name);
    if (at == std::string_view::npos || settings[at + name.size()] < '1' || settings[at + name.size()] > '9') std::abort();
    return PICKET_OK;
  }
};
PICKET_PLUGIN("test.bad.plugin", Believer)
