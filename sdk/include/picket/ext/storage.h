/*
 * "picket.storage/1": bytes of the plugin's own that survive restarts. Keys are 1..128 bytes of [A-Za-z0-9._-], not beginning
 * with a dot. A value is replaced whole or not at all, also at a power cut. The sum is limited by limits.storage_mb of the manifest.
 * These calls touch the disk and may wait for it: they are [plugin-thread] or from threads that the plugin owns.
 */
#ifndef PICKET_EXT_STORAGE_H
#define PICKET_EXT_STORAGE_H

#include <picket/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PICKET_EXT_STORAGE "picket.storage/1"

typedef struct picket_host_storage {
  uint32_t struct_size;
  uint32_t reserved;
  /* NOT_FOUND when there is no such key, any other failure when that cannot be told now: later it may. Else the value goes into the sink. */
  picket_status (*get)(const picket_host *host, picket_bytes key, const picket_sink *value);
  /* NO_SPACE when the limit would be passed: the old value stays. */
  picket_status (*put)(const picket_host *host, picket_bytes key, picket_bytes value);
  /* OK also when there was none. */
  picket_status (*remove)(const picket_host *host, picket_bytes key);
  /* Calls the sink once per key. */
  picket_status (*list)(const picket_host *host, const picket_sink *keys);
} picket_host_storage;

#ifdef __cplusplus
}
#endif
#endif
