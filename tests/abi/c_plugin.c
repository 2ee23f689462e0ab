/* A whole plugin in C11: says what it hears again, answers with what it was asked. For authors who use no C++, and for the compile matrix. */
#include <picket/ext/bus.h>
#include <picket/ext/settings.h>
#include <picket/plugin.h>

#include <stdlib.h>
#include <string.h>

typedef struct instance {
  picket_plugin table;
  const picket_host *host;
  const picket_host_bus *bus;
} instance;

static picket_bytes text(const char *words) {
  picket_bytes out = {words, strlen(words)};
  return out;
}

static picket_status start(picket_plugin *plugin, picket_bytes settings_json, uint64_t revision) {
  instance *me = (instance *)plugin->ctx;
  const picket_host_settings *settings = (const picket_host_settings *)me->host->get_extension(me->host, PICKET_EXT_SETTINGS);
  (void)settings_json;
  if (me->bus == NULL || !PICKET_HAS(me->bus, subscribe)) {
    me->host->set_error(me->host, text("there is no bus"));
    return PICKET_E_UNSUPPORTED;
  }
  if (me->bus->subscribe(me->host, text("test.bad.heard.*")) != PICKET_OK) me->host->log(me->host, PICKET_LOG_WARNING, text("hears nothing"));
  if (settings != NULL && PICKET_HAS(settings, observed)) settings->observed(me->host, revision, PICKET_HEALTH_HEALTHY, text(""));
  return PICKET_OK;
}
static picket_status stop(picket_plugin *plugin, uint32_t deadline_ms) {
  (void)plugin;
  (void)deadline_ms;
  return PICKET_OK;
}
static void destroy(picket_plugin *plugin) { free(plugin->ctx); }

static void on_message(picket_plugin *plugin, const picket_message *message) {
  instance *me = (instance *)plugin->ctx;
  if (PICKET_HAS(me->bus, publish)) me->bus->publish(me->host, text("test.bad.said"), text(""), message->content_type, message->payload);
}
static void on_request(picket_plugin *plugin, uint64_t request_id, const picket_message *request) {
  instance *me = (instance *)plugin->ctx;
  if (PICKET_HAS(me->bus, respond)) me->bus->respond(me->host, request_id, PICKET_OK, request->content_type, request->payload);
}
static const picket_plugin_bus bus = {sizeof(picket_plugin_bus), 0, on_message, on_request, NULL, NULL, NULL, NULL, NULL};

static const void *get_extension(picket_plugin *plugin, const char *id) {
  (void)plugin;
  return strcmp(id, PICKET_EXT_BUS) == 0 ? &bus : NULL;
}

static picket_status create(const picket_host *host, const char *plugin_id, picket_plugin **out) {
  instance *me;
  if (strcmp(plugin_id, "test.bad.plugin") != 0) return PICKET_E_INVALID;
  me = (instance *)calloc(1, sizeof *me);
  if (me == NULL) return PICKET_E_INTERNAL;
  me->host = host;
  me->bus = (const picket_host_bus *)host->get_extension(host, PICKET_EXT_BUS);
  me->table.struct_size = sizeof me->table;
  me->table.ctx = me;
  me->table.start = start;
  me->table.stop = stop;
  me->table.destroy = destroy;
  me->table.get_extension = get_extension;
  *out = &me->table;
  return PICKET_OK;
}

#ifdef __cplusplus
extern "C" {
#endif
PICKET_EXPORT extern const picket_entry picket_plugin_entry_v1;
const picket_entry picket_plugin_entry_v1 = {PICKET_ENTRY_MAGIC, sizeof(picket_entry), PICKET_ABI_MAJOR, PICKET_ABI_MINOR, 0, 0, create};
#ifdef __cplusplus
}
#endif
