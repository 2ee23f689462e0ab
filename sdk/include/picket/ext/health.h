/*
 * "picket.health/1": how the plugin is, at any time; shown by `picketctl status`. The host adds what it sees itself (restarts,
 * overruns, losses). Levels are those of settings.h.
 * A report stands until the next report or start: settings that were taken (observed) do not take it back. The worse of the two
 * is shown, of equals the newer.
 */
#ifndef PICKET_EXT_HEALTH_H
#define PICKET_EXT_HEALTH_H

#include <picket/ext/settings.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PICKET_EXT_HEALTH "picket.health/1"

typedef struct picket_host_health {
  uint32_t struct_size;
  uint32_t reserved;
  /* One line of UTF-8; empty when all is well. [any-thread] */
  picket_status (*report)(const picket_host *host, int32_t health, picket_bytes utf8);
} picket_host_health;

#ifdef __cplusplus
}
#endif
#endif
