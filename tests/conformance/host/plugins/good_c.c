/* The contract from plain C: answers test.c with the payload's size as text. */
#include <picket/ext/bus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct good_c {
  picket_plugin table;
  const picket_host *host;
  const picket_host_bus *bus;
} good_c;

static void on_request(picket_plugin *plugin, uint64_t request_id, const picket_message *request) {
  good_c *self = (good_c *)plugin->ctx;
  char text[32];
  const int size = snprintf(text, sizeof text, "%zu", request->payload.size);
  const picket_bytes payload = {text, (size_t)size}, none = {NULL, 0};
  self->bus->respond(self->host, request_id, PICKET_OK, none, payload);
}

static const picket_plugin_bus bus = {sizeof(picket_plugin_bus), 0, NULL, on_request, NULL, NULL, NULL, NULL, NULL};

static picket_status start(picket_plugin *plugin, picket_bytes settings, uint64_t revision) {
  (void)plugin, (void)settings, (void)revision;
  return PICKET_OK;
}
static picket_status stop(picket_plugin *plugin, uint32_t deadline_ms) {
  (void)plugin, (void)deadline_ms;
  return PICKET_OK;
}
static void destroy(picket_plugin *plugin) { free(plugin->ctx); }
static const void *get_extension(picket_plugin *plugin, const char *id) {
  (void)plugin;
  return strcmp(id, PICKET_EXT_BUS) == 0 ? &bus : NULL;
}

static picket_status create(const picket_host *host, const char *id, picket_plugin **out) {
  good_c *self;
  if (strcmp(id, "org.picket.test.good-c") != 0) return PICKET_E_INVALID;
  self = calloc(1, sizeof *self);
  if (self == NULL) return PICKET_E_NO_SPACE;
  self->host = host;
  self->bus = host->get_extension(host, PICKET_EXT_BUS);
  self->table.struct_size = sizeof self->table;
  self->table.ctx = self;
  self->table.start = start;
  self->table.stop = stop;
  self->table.destroy = destroy;
  self->table.get_extension = get_extension;
  *out = &self->table;
  return PICKET_OK;
}

PICKET_EXPORT extern const picket_entry picket_plugin_entry_v1;
const picket_entry picket_plugin_entry_v1 = {PICKET_ENTRY_MAGIC, sizeof(picket_entry), PICKET_ABI_MAJOR, PICKET_ABI_MINOR, 0, 0, create};
