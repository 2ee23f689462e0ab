#include "well.hpp"
extern "C" {
static picket_status (*make)(const picket_host*, const char*, const char*, picket_plugin**) noexcept = &picket::plugin::Adapter<Well>::create;
static const void* (*true_answer)(picket_plugin*, const char*) = nullptr;
static const void* answer(picket_plugin* plugin, const char* id) {
  static const picket_plugin_timer empty{sizeof(picket_plugin_timer), 0, nullptr};
  const void* table = true_answer(plugin, id);
  return table != nullptr || std::strcmp(id, PICKET_EXT_SETTINGS) == 0 ? table : &empty;
}
static picket_status create(const picket_host* host, const char* wanted, picket_plugin** out) {
  const picket_status status = make(host, wanted, "test.bad.plugin", out);
  if (status != PICKET_OK) return status;
  true_answer = (*out)->get_extension;
  (*out)->get_extension = &answer;
  return status;
}
PICKET_EXPORT extern const picket_entry picket_plugin_entry_v1;
const picket_entry picket_plugin_entry_v1 = {PICKET_ENTRY_MAGIC, sizeof(picket_entry), 1, 0, 0, 0, &create};
}
