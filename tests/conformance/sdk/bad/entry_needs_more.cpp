#include "well.hpp"
extern "C" {
static picket_status create(const picket_host* host, const char* wanted, picket_plugin** out) {
  return picket::plugin::Adapter<Well>::create(host, wanted, "test.bad.plugin", out);
}
PICKET_EXPORT extern const picket_entry picket_plugin_entry_v1;
const picket_entry picket_plugin_entry_v1 = {PICKET_ENTRY_MAGIC, sizeof(picket_entry), 1, 1, 1, 0, &create};
}
