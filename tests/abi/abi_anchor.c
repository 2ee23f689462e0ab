/* abidiff sees only what an exported symbol reaches, and the extensions are reached through `const void *` alone. So: one function for each public struct.
   Released functions stay; a new struct gets a line. */
#include <picket/ext/bus.h>
#include <picket/ext/health.h>
#include <picket/ext/settings.h>
#include <picket/ext/storage.h>
#include <picket/ext/timer.h>
#include <picket/plugin.h>

#define ANCHOR(type)                       \
  PICKET_EXPORT void anchor_##type(type *); \
  void anchor_##type(type *table) { (void)table; }

ANCHOR(picket_bytes)
ANCHOR(picket_sink)
ANCHOR(picket_host)
ANCHOR(picket_plugin)
ANCHOR(picket_entry)
ANCHOR(picket_message)
ANCHOR(picket_host_bus)
ANCHOR(picket_plugin_bus)
ANCHOR(picket_host_health)
ANCHOR(picket_host_settings)
ANCHOR(picket_plugin_settings)
ANCHOR(picket_host_storage)
ANCHOR(picket_host_timer)
ANCHOR(picket_plugin_timer)

PICKET_EXPORT extern const picket_entry picket_plugin_entry_v1;
const picket_entry picket_plugin_entry_v1 = {PICKET_ENTRY_MAGIC, sizeof(picket_entry), PICKET_ABI_MAJOR, PICKET_ABI_MINOR, 0, 0, NULL};
