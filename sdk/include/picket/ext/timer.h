/*
 * "picket.timer/1": so that no plugin needs a thread for a period. Times are of the monotonic clock, and late by up to a second
 * when that lets the computer sleep.
 */
#ifndef PICKET_EXT_TIMER_H
#define PICKET_EXT_TIMER_H

#include <picket/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PICKET_EXT_TIMER "picket.timer/1"

typedef struct picket_host_timer {
  uint32_t struct_size;
  uint32_t reserved;
  /* Sets (or sets again) the timer with this id. period_ms 0: once. At most 64 timers per plugin: else TOO_LARGE. [any-thread] */
  picket_status (*set)(const picket_host *host, uint64_t timer_id, uint64_t delay_ms, uint64_t period_ms);
  /* on_timer is not called for it any more once a later [plugin-thread] call begins. OK also when not set. [any-thread] */
  picket_status (*cancel)(const picket_host *host, uint64_t timer_id);
} picket_host_timer;

typedef struct picket_plugin_timer {
  uint32_t struct_size;
  uint32_t reserved;
  void (*on_timer)(picket_plugin *plugin, uint64_t timer_id); /* [plugin-thread, started] */
} picket_plugin_timer;

#ifdef __cplusplus
}
#endif
#endif
