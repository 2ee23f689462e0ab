/*
 * "picket.settings/1": new settings while running. The host validates against the manifest's settings_schema and fills
 * defaults, so a plugin never sees a bad value. Applying a policy is all or nothing over all plugins: when one refuses, every
 * plugin gets `apply` again with its previous settings.
 * A plugin without this extension is stopped and started again to take new settings.
 */
#ifndef PICKET_EXT_SETTINGS_H
#define PICKET_EXT_SETTINGS_H

#include <picket/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PICKET_EXT_SETTINGS "picket.settings/1"

#define PICKET_HEALTH_HEALTHY 1
#define PICKET_HEALTH_DEGRADED 2 /* works in part; the text says what does not */
#define PICKET_HEALTH_FAILED 3   /* does not do its job; the text says why */

/* Host's table. */
typedef struct picket_host_settings {
  uint32_t struct_size;
  uint32_t reserved;
  /* "These settings are in force, and this is how I am with them." Call it once after each start and apply: from within
     the call, or later when that takes time. FAILED makes the host go back to the previous settings. HEALTHY means "taken":
     it ends what an earlier `observed` said, never what was told by picket.health/1. [any-thread] */
  picket_status (*observed)(const picket_host *host, uint64_t revision, int32_t health, picket_bytes utf8);
} picket_host_settings;

/* Plugin's table. */
typedef struct picket_plugin_settings {
  uint32_t struct_size;
  uint32_t reserved;
  /* A negative status (with set_error) refuses: keep the settings you have. [plugin-thread, started] */
  picket_status (*apply)(picket_plugin *plugin, picket_bytes settings_json, uint64_t revision);
} picket_plugin_settings;

#ifdef __cplusplus
}
#endif
#endif
