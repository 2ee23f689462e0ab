/*
 * picket/plugin.h - the contract between Picket and its plugins. This comment is the manual; `picket/plugin.hpp`
 * wraps all of it for C++20, and `sdk/template` is a plugin to copy.
 *
 * A plugin is a shared object that exports exactly one symbol, the data object `picket_plugin_entry_v1`, beside a
 * signed manifest `plugin.json`. The host reads and verifies the manifest before any code of the plugin runs.
 * The same shared object runs inside `picketd` or in a `picket-plugin-host` child; it cannot tell, and must not try.
 *
 * THE RULES
 *
 * 1. Released never changes. A table grows at its end, an extension gets a new revision, an id is added. Every table
 *    begins with its `struct_size`; look with PICKET_HAS before using a member that a later minor version added.
 * 2. Ids are `picket.<name>/<revision>`; third parties use `com.vendor.<name>/<revision>`. get_extension answers NULL
 *    for an id it does not know. That is always legal, on both sides.
 * 3. Who allocates frees. All bytes passed in are borrowed: dead when the call returns. Copy what you keep.
 *    Results that have a size of their own go through a `picket_sink` made by the caller, never a returned pointer.
 * 4. An error is a negative status. Say why with host->set_error before you return it. Nothing is thrown through the
 *    boundary: the C++ wrapper turns an exception into PICKET_E_INTERNAL.
 * 5. Threads. Calls into the plugin are [plugin-thread]: for one instance they never overlap, but the operating
 *    system's thread may differ from call to call. Host calls marked [any-thread] never block and never call back into
 *    the plugin before they return; they answer PICKET_OK, PICKET_E_BUSY (try later) or PICKET_E_DENIED. A plugin may own
 *    threads; all of them have ended when `stop` returns.
 * 6. Deadlines. A call into the plugin has the budget `limits.callback_ms` of the manifest (default 1000). A plugin that
 *    overruns is marked degraded in process; in a child it is ended and started again, and given up after some tries.
 *    Long work belongs on a thread of the plugin's own.
 * 7. Do not: keep a pointer past its call, pass file descriptors, use globals shared with others, read the environment,
 *    install signal handlers, call exit, fork, setlocale or chdir, register loggers or atexit handlers in shared libraries.
 *    Static constructors run in a throw-away child first; one that throws, crashes or hangs refuses the plugin.
 * 8. Topics that begin with "picket." have owners: what is picketd's or of its own plugins no other answers, publishes or asks (ext/bus.h says which).
 *    A plugin's own topics begin with its id.
 *
 * THE LIFE OF AN INSTANCE
 *
 *   entry.create -> start -> (calls of extensions)* -> stop -> (start ...)* -> destroy
 *
 * An instance that failed to start may be destroyed or started again. Host calls made after `stop` has returned are DENIED.
 */
#ifndef PICKET_PLUGIN_H
#define PICKET_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PICKET_ABI_MAJOR 1
#define PICKET_ABI_MINOR 0
#define PICKET_ENTRY_MAGIC 0x31746B50u /* "Pkt1", little endian */

/* 0 is success, negative is failure. Codes are only added; treat an unknown negative code as PICKET_E_INTERNAL. */
typedef int32_t picket_status;
#define PICKET_OK 0
#define PICKET_E_INVALID (-1)      /* malformed or out of range */
#define PICKET_E_DENIED (-2)       /* not in the manifest's allow-list, or not now (stopped) */
#define PICKET_E_BUSY (-3)         /* a queue is full or there is no credit: try later */
#define PICKET_E_NOT_FOUND (-4)
#define PICKET_E_TIMEOUT (-5)
#define PICKET_E_CANCELLED (-6)
#define PICKET_E_UNAVAILABLE (-7)  /* the other side is not there */
#define PICKET_E_IO (-8)
#define PICKET_E_NO_SPACE (-9)
#define PICKET_E_UNTRUSTED (-10)   /* a signature, digest, length or version does not hold */
#define PICKET_E_EXPIRED (-11)
#define PICKET_E_TOO_LARGE (-12)
#define PICKET_E_CONFLICT (-13)    /* in the wrong state for this */
#define PICKET_E_UNSUPPORTED (-14)
#define PICKET_E_INTERNAL (-15)

/* Borrowed bytes: valid until the call returns. data may be NULL when size is 0. Text is UTF-8 and not terminated. */
typedef struct picket_bytes {
  const void *data;
  size_t size;
} picket_bytes;

/* Made by the caller, used by the callee before it returns. write may be called several times. */
typedef struct picket_sink {
  void *ctx;
  void (*write)(void *ctx, picket_bytes part);
} picket_sink;

/* Does this table, made by the other side, reach to this member, and is it there? */
#define PICKET_HAS(table, member)                                                                                \
  ((table)->struct_size >= offsetof(PICKET_TABLE_TYPE(table), member) + sizeof((table)->member) && (table)->member)
#ifdef __cplusplus
} /* extern "C" */
#include <type_traits>
#define PICKET_TABLE_TYPE(table) std::remove_cv_t<std::remove_reference_t<decltype(*(table))>>
extern "C" {
#else
#define PICKET_TABLE_TYPE(table) __typeof__(*(table))
#endif

/* Log levels of picket_host.log. Never log secrets. */
#define PICKET_LOG_DEBUG 1
#define PICKET_LOG_INFO 2
#define PICKET_LOG_WARNING 3
#define PICKET_LOG_ERROR 4

/* Made and owned by the host; valid from create until destroy has returned. */
typedef struct picket_host {
  uint32_t struct_size;
  uint32_t abi_minor; /* of the host */
  void *ctx;
  /* A table of the host's, or NULL; the answer for an id never changes. [any-thread] */
  const void *(*get_extension)(const struct picket_host *host, const char *id);
  /* One record of UTF-8 text. [any-thread] */
  void (*log)(const struct picket_host *host, int32_t level, picket_bytes utf8);
  /* Why the call into the plugin that is now failing fails: one line of UTF-8. [plugin-thread] */
  void (*set_error)(const struct picket_host *host, picket_bytes utf8);
} picket_host;

/* Made and owned by the plugin; freed by destroy only. */
typedef struct picket_plugin {
  uint32_t struct_size;
  uint32_t reserved;
  void *ctx;
  /* settings_json: complete, already valid against the manifest's settings_schema, defaults filled in.
     Must not be kept. [plugin-thread, stopped] */
  picket_status (*start)(struct picket_plugin *plugin, picket_bytes settings_json, uint64_t revision);
  /* After it returns the plugin owns no running thread and makes no host call. [plugin-thread, started] */
  picket_status (*stop)(struct picket_plugin *plugin, uint32_t deadline_ms);
  /* [plugin-thread, stopped] */
  void (*destroy)(struct picket_plugin *plugin);
  /* A table of the plugin's, or NULL; constant answers once create has returned. [any-thread] */
  const void *(*get_extension)(struct picket_plugin *plugin, const char *id);
} picket_plugin;

/* The one exported symbol. Reading it runs no code of the plugin beyond its static constructors. */
typedef struct picket_entry {
  uint32_t magic; /* PICKET_ENTRY_MAGIC */
  uint32_t struct_size;
  uint16_t abi_major; /* PICKET_ABI_MAJOR, also in the symbol's name */
  uint16_t abi_minor_built;
  uint16_t abi_minor_needed; /* the host refuses politely when its own is lower */
  uint16_t reserved;
  /* Must fail (PICKET_E_INVALID) when plugin_id is not its own. On success *out is the new instance. No host call but
     get_extension, log and set_error yet. [plugin-thread] */
  picket_status (*create)(const picket_host *host, const char *plugin_id, picket_plugin **out);
} picket_entry;

#define PICKET_ENTRY_SYMBOL "picket_plugin_entry_v1"
#if defined(__GNUC__)
#define PICKET_EXPORT __attribute__((visibility("default")))
#else
#define PICKET_EXPORT
#endif
/* A plugin defines:  PICKET_EXPORT extern const picket_entry picket_plugin_entry_v1; */

#ifdef __cplusplus
} /* extern "C" */
#endif
#endif /* PICKET_PLUGIN_H */
