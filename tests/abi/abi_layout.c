/* Where every member of every public struct lies and of what type it is, on 64-bit machines: frozen with 1.0. Lines are added (layout.py), never changed.
   Tables may grow at their end, so their size has a lower bound; what has no struct_size keeps its size for ever. */
#include <picket/ext/bus.h>
#include <picket/ext/health.h>
#include <picket/ext/settings.h>
#include <picket/ext/storage.h>
#include <picket/ext/timer.h>
#include <picket/plugin.h>

_Static_assert(sizeof(picket_bytes) == 16, "picket_bytes");
_Static_assert(offsetof(picket_bytes, data) == 0 && sizeof(((picket_bytes *)0)->data) == 8 &&
                   _Generic(((picket_bytes *)0)->data, const void *: 1, default: 0), "picket_bytes.data");
_Static_assert(offsetof(picket_bytes, size) == 8 && sizeof(((picket_bytes *)0)->size) == 8 &&
                   _Generic(((picket_bytes *)0)->size, size_t: 1, default: 0), "picket_bytes.size");
_Static_assert(sizeof(picket_sink) == 16, "picket_sink");
_Static_assert(offsetof(picket_sink, ctx) == 0 && sizeof(((picket_sink *)0)->ctx) == 8 &&
                   _Generic(((picket_sink *)0)->ctx, void *: 1, default: 0), "picket_sink.ctx");
_Static_assert(offsetof(picket_sink, write) == 8 && sizeof(((picket_sink *)0)->write) == 8 &&
                   _Generic(((picket_sink *)0)->write, void (*)(void *ctx, picket_bytes part): 1, default: 0), "picket_sink.write");
_Static_assert(sizeof(picket_host) >= 40, "picket_host");
_Static_assert(offsetof(picket_host, struct_size) == 0 && sizeof(((picket_host *)0)->struct_size) == 4 &&
                   _Generic(((picket_host *)0)->struct_size, uint32_t: 1, default: 0), "picket_host.struct_size");
_Static_assert(offsetof(picket_host, abi_minor) == 4 && sizeof(((picket_host *)0)->abi_minor) == 4 &&
                   _Generic(((picket_host *)0)->abi_minor, uint32_t: 1, default: 0), "picket_host.abi_minor");
_Static_assert(offsetof(picket_host, ctx) == 8 && sizeof(((picket_host *)0)->ctx) == 8 &&
                   _Generic(((picket_host *)0)->ctx, void *: 1, default: 0), "picket_host.ctx");
_Static_assert(offsetof(picket_host, get_extension) == 16 && sizeof(((picket_host *)0)->get_extension) == 8 &&
                   _Generic(((picket_host *)0)->get_extension, const void *(*)(const struct picket_host *host, const char *id): 1, default: 0), "picket_host.get_extension");
_Static_assert(offsetof(picket_host, log) == 24 && sizeof(((picket_host *)0)->log) == 8 &&
                   _Generic(((picket_host *)0)->log, void (*)(const struct picket_host *host, int32_t level, picket_bytes utf8): 1, default: 0), "picket_host.log");
_Static_assert(offsetof(picket_host, set_error) == 32 && sizeof(((picket_host *)0)->set_error) == 8 &&
                   _Generic(((picket_host *)0)->set_error, void (*)(const struct picket_host *host, picket_bytes utf8): 1, default: 0), "picket_host.set_error");
_Static_assert(sizeof(picket_plugin) >= 48, "picket_plugin");
_Static_assert(offsetof(picket_plugin, struct_size) == 0 && sizeof(((picket_plugin *)0)->struct_size) == 4 &&
                   _Generic(((picket_plugin *)0)->struct_size, uint32_t: 1, default: 0), "picket_plugin.struct_size");
_Static_assert(offsetof(picket_plugin, reserved) == 4 && sizeof(((picket_plugin *)0)->reserved) == 4 &&
                   _Generic(((picket_plugin *)0)->reserved, uint32_t: 1, default: 0), "picket_plugin.reserved");
_Static_assert(offsetof(picket_plugin, ctx) == 8 && sizeof(((picket_plugin *)0)->ctx) == 8 &&
                   _Generic(((picket_plugin *)0)->ctx, void *: 1, default: 0), "picket_plugin.ctx");
_Static_assert(offsetof(picket_plugin, start) == 16 && sizeof(((picket_plugin *)0)->start) == 8 &&
                   _Generic(((picket_plugin *)0)->start, picket_status (*)(struct picket_plugin *plugin, picket_bytes settings_json, uint64_t revision): 1, default: 0), "picket_plugin.start");
_Static_assert(offsetof(picket_plugin, stop) == 24 && sizeof(((picket_plugin *)0)->stop) == 8 &&
                   _Generic(((picket_plugin *)0)->stop, picket_status (*)(struct picket_plugin *plugin, uint32_t deadline_ms): 1, default: 0), "picket_plugin.stop");
_Static_assert(offsetof(picket_plugin, destroy) == 32 && sizeof(((picket_plugin *)0)->destroy) == 8 &&
                   _Generic(((picket_plugin *)0)->destroy, void (*)(struct picket_plugin *plugin): 1, default: 0), "picket_plugin.destroy");
_Static_assert(offsetof(picket_plugin, get_extension) == 40 && sizeof(((picket_plugin *)0)->get_extension) == 8 &&
                   _Generic(((picket_plugin *)0)->get_extension, const void *(*)(struct picket_plugin *plugin, const char *id): 1, default: 0), "picket_plugin.get_extension");
_Static_assert(sizeof(picket_entry) >= 24, "picket_entry");
_Static_assert(offsetof(picket_entry, magic) == 0 && sizeof(((picket_entry *)0)->magic) == 4 &&
                   _Generic(((picket_entry *)0)->magic, uint32_t: 1, default: 0), "picket_entry.magic");
_Static_assert(offsetof(picket_entry, struct_size) == 4 && sizeof(((picket_entry *)0)->struct_size) == 4 &&
                   _Generic(((picket_entry *)0)->struct_size, uint32_t: 1, default: 0), "picket_entry.struct_size");
_Static_assert(offsetof(picket_entry, abi_major) == 8 && sizeof(((picket_entry *)0)->abi_major) == 2 &&
                   _Generic(((picket_entry *)0)->abi_major, uint16_t: 1, default: 0), "picket_entry.abi_major");
_Static_assert(offsetof(picket_entry, abi_minor_built) == 10 && sizeof(((picket_entry *)0)->abi_minor_built) == 2 &&
                   _Generic(((picket_entry *)0)->abi_minor_built, uint16_t: 1, default: 0), "picket_entry.abi_minor_built");
_Static_assert(offsetof(picket_entry, abi_minor_needed) == 12 && sizeof(((picket_entry *)0)->abi_minor_needed) == 2 &&
                   _Generic(((picket_entry *)0)->abi_minor_needed, uint16_t: 1, default: 0), "picket_entry.abi_minor_needed");
_Static_assert(offsetof(picket_entry, reserved) == 14 && sizeof(((picket_entry *)0)->reserved) == 2 &&
                   _Generic(((picket_entry *)0)->reserved, uint16_t: 1, default: 0), "picket_entry.reserved");
_Static_assert(offsetof(picket_entry, create) == 16 && sizeof(((picket_entry *)0)->create) == 8 &&
                   _Generic(((picket_entry *)0)->create, picket_status (*)(const picket_host *host, const char *plugin_id, picket_plugin **out): 1, default: 0), "picket_entry.create");
_Static_assert(sizeof(picket_message) >= 96, "picket_message");
_Static_assert(offsetof(picket_message, struct_size) == 0 && sizeof(((picket_message *)0)->struct_size) == 4 &&
                   _Generic(((picket_message *)0)->struct_size, uint32_t: 1, default: 0), "picket_message.struct_size");
_Static_assert(offsetof(picket_message, reserved) == 4 && sizeof(((picket_message *)0)->reserved) == 4 &&
                   _Generic(((picket_message *)0)->reserved, uint32_t: 1, default: 0), "picket_message.reserved");
_Static_assert(offsetof(picket_message, topic) == 8 && sizeof(((picket_message *)0)->topic) == 16 &&
                   _Generic(((picket_message *)0)->topic, picket_bytes: 1, default: 0), "picket_message.topic");
_Static_assert(offsetof(picket_message, key) == 24 && sizeof(((picket_message *)0)->key) == 16 &&
                   _Generic(((picket_message *)0)->key, picket_bytes: 1, default: 0), "picket_message.key");
_Static_assert(offsetof(picket_message, content_type) == 40 && sizeof(((picket_message *)0)->content_type) == 16 &&
                   _Generic(((picket_message *)0)->content_type, picket_bytes: 1, default: 0), "picket_message.content_type");
_Static_assert(offsetof(picket_message, sender) == 56 && sizeof(((picket_message *)0)->sender) == 16 &&
                   _Generic(((picket_message *)0)->sender, picket_bytes: 1, default: 0), "picket_message.sender");
_Static_assert(offsetof(picket_message, payload) == 72 && sizeof(((picket_message *)0)->payload) == 16 &&
                   _Generic(((picket_message *)0)->payload, picket_bytes: 1, default: 0), "picket_message.payload");
_Static_assert(offsetof(picket_message, timeout_ms) == 88 && sizeof(((picket_message *)0)->timeout_ms) == 4 &&
                   _Generic(((picket_message *)0)->timeout_ms, uint32_t: 1, default: 0), "picket_message.timeout_ms");
_Static_assert(offsetof(picket_message, reserved2) == 92 && sizeof(((picket_message *)0)->reserved2) == 4 &&
                   _Generic(((picket_message *)0)->reserved2, uint32_t: 1, default: 0), "picket_message.reserved2");
_Static_assert(sizeof(picket_host_bus) >= 72, "picket_host_bus");
_Static_assert(offsetof(picket_host_bus, struct_size) == 0 && sizeof(((picket_host_bus *)0)->struct_size) == 4 &&
                   _Generic(((picket_host_bus *)0)->struct_size, uint32_t: 1, default: 0), "picket_host_bus.struct_size");
_Static_assert(offsetof(picket_host_bus, reserved) == 4 && sizeof(((picket_host_bus *)0)->reserved) == 4 &&
                   _Generic(((picket_host_bus *)0)->reserved, uint32_t: 1, default: 0), "picket_host_bus.reserved");
_Static_assert(offsetof(picket_host_bus, publish) == 8 && sizeof(((picket_host_bus *)0)->publish) == 8 &&
                   _Generic(((picket_host_bus *)0)->publish, picket_status (*)(const picket_host *host, picket_bytes topic, picket_bytes key, picket_bytes content_type, picket_bytes payload): 1, default: 0), "picket_host_bus.publish");
_Static_assert(offsetof(picket_host_bus, subscribe) == 16 && sizeof(((picket_host_bus *)0)->subscribe) == 8 &&
                   _Generic(((picket_host_bus *)0)->subscribe, picket_status (*)(const picket_host *host, picket_bytes filter): 1, default: 0), "picket_host_bus.subscribe");
_Static_assert(offsetof(picket_host_bus, unsubscribe) == 24 && sizeof(((picket_host_bus *)0)->unsubscribe) == 8 &&
                   _Generic(((picket_host_bus *)0)->unsubscribe, picket_status (*)(const picket_host *host, picket_bytes filter): 1, default: 0), "picket_host_bus.unsubscribe");
_Static_assert(offsetof(picket_host_bus, request) == 32 && sizeof(((picket_host_bus *)0)->request) == 8 &&
                   _Generic(((picket_host_bus *)0)->request, picket_status (*)(const picket_host *host, picket_bytes topic, picket_bytes to, picket_bytes content_type, picket_bytes payload, uint32_t timeout_ms, uint64_t token, uint64_t initial_credit): 1, default: 0), "picket_host_bus.request");
_Static_assert(offsetof(picket_host_bus, grant) == 40 && sizeof(((picket_host_bus *)0)->grant) == 8 &&
                   _Generic(((picket_host_bus *)0)->grant, picket_status (*)(const picket_host *host, uint64_t token, uint64_t bytes): 1, default: 0), "picket_host_bus.grant");
_Static_assert(offsetof(picket_host_bus, cancel) == 48 && sizeof(((picket_host_bus *)0)->cancel) == 8 &&
                   _Generic(((picket_host_bus *)0)->cancel, picket_status (*)(const picket_host *host, uint64_t token): 1, default: 0), "picket_host_bus.cancel");
_Static_assert(offsetof(picket_host_bus, respond) == 56 && sizeof(((picket_host_bus *)0)->respond) == 8 &&
                   _Generic(((picket_host_bus *)0)->respond, picket_status (*)(const picket_host *host, uint64_t request_id, picket_status status, picket_bytes content_type, picket_bytes payload): 1, default: 0), "picket_host_bus.respond");
_Static_assert(offsetof(picket_host_bus, stream_write) == 64 && sizeof(((picket_host_bus *)0)->stream_write) == 8 &&
                   _Generic(((picket_host_bus *)0)->stream_write, picket_status (*)(const picket_host *host, uint64_t request_id, picket_bytes chunk): 1, default: 0), "picket_host_bus.stream_write");
_Static_assert(sizeof(picket_plugin_bus) >= 64, "picket_plugin_bus");
_Static_assert(offsetof(picket_plugin_bus, struct_size) == 0 && sizeof(((picket_plugin_bus *)0)->struct_size) == 4 &&
                   _Generic(((picket_plugin_bus *)0)->struct_size, uint32_t: 1, default: 0), "picket_plugin_bus.struct_size");
_Static_assert(offsetof(picket_plugin_bus, reserved) == 4 && sizeof(((picket_plugin_bus *)0)->reserved) == 4 &&
                   _Generic(((picket_plugin_bus *)0)->reserved, uint32_t: 1, default: 0), "picket_plugin_bus.reserved");
_Static_assert(offsetof(picket_plugin_bus, on_message) == 8 && sizeof(((picket_plugin_bus *)0)->on_message) == 8 &&
                   _Generic(((picket_plugin_bus *)0)->on_message, void (*)(picket_plugin *plugin, const picket_message *message): 1, default: 0), "picket_plugin_bus.on_message");
_Static_assert(offsetof(picket_plugin_bus, on_request) == 16 && sizeof(((picket_plugin_bus *)0)->on_request) == 8 &&
                   _Generic(((picket_plugin_bus *)0)->on_request, void (*)(picket_plugin *plugin, uint64_t request_id, const picket_message *request): 1, default: 0), "picket_plugin_bus.on_request");
_Static_assert(offsetof(picket_plugin_bus, on_stream) == 24 && sizeof(((picket_plugin_bus *)0)->on_stream) == 8 &&
                   _Generic(((picket_plugin_bus *)0)->on_stream, void (*)(picket_plugin *plugin, uint64_t token, picket_bytes chunk): 1, default: 0), "picket_plugin_bus.on_stream");
_Static_assert(offsetof(picket_plugin_bus, on_reply) == 32 && sizeof(((picket_plugin_bus *)0)->on_reply) == 8 &&
                   _Generic(((picket_plugin_bus *)0)->on_reply, void (*)(picket_plugin *plugin, uint64_t token, picket_status status, const picket_message *reply): 1, default: 0), "picket_plugin_bus.on_reply");
_Static_assert(offsetof(picket_plugin_bus, on_credit) == 40 && sizeof(((picket_plugin_bus *)0)->on_credit) == 8 &&
                   _Generic(((picket_plugin_bus *)0)->on_credit, void (*)(picket_plugin *plugin, uint64_t request_id, uint64_t bytes): 1, default: 0), "picket_plugin_bus.on_credit");
_Static_assert(offsetof(picket_plugin_bus, on_cancel) == 48 && sizeof(((picket_plugin_bus *)0)->on_cancel) == 8 &&
                   _Generic(((picket_plugin_bus *)0)->on_cancel, void (*)(picket_plugin *plugin, uint64_t request_id): 1, default: 0), "picket_plugin_bus.on_cancel");
_Static_assert(offsetof(picket_plugin_bus, on_loss) == 56 && sizeof(((picket_plugin_bus *)0)->on_loss) == 8 &&
                   _Generic(((picket_plugin_bus *)0)->on_loss, void (*)(picket_plugin *plugin, picket_bytes topic, uint64_t count): 1, default: 0), "picket_plugin_bus.on_loss");
_Static_assert(sizeof(picket_host_health) >= 16, "picket_host_health");
_Static_assert(offsetof(picket_host_health, struct_size) == 0 && sizeof(((picket_host_health *)0)->struct_size) == 4 &&
                   _Generic(((picket_host_health *)0)->struct_size, uint32_t: 1, default: 0), "picket_host_health.struct_size");
_Static_assert(offsetof(picket_host_health, reserved) == 4 && sizeof(((picket_host_health *)0)->reserved) == 4 &&
                   _Generic(((picket_host_health *)0)->reserved, uint32_t: 1, default: 0), "picket_host_health.reserved");
_Static_assert(offsetof(picket_host_health, report) == 8 && sizeof(((picket_host_health *)0)->report) == 8 &&
                   _Generic(((picket_host_health *)0)->report, picket_status (*)(const picket_host *host, int32_t health, picket_bytes utf8): 1, default: 0), "picket_host_health.report");
_Static_assert(sizeof(picket_host_settings) >= 16, "picket_host_settings");
_Static_assert(offsetof(picket_host_settings, struct_size) == 0 && sizeof(((picket_host_settings *)0)->struct_size) == 4 &&
                   _Generic(((picket_host_settings *)0)->struct_size, uint32_t: 1, default: 0), "picket_host_settings.struct_size");
_Static_assert(offsetof(picket_host_settings, reserved) == 4 && sizeof(((picket_host_settings *)0)->reserved) == 4 &&
                   _Generic(((picket_host_settings *)0)->reserved, uint32_t: 1, default: 0), "picket_host_settings.reserved");
_Static_assert(offsetof(picket_host_settings, observed) == 8 && sizeof(((picket_host_settings *)0)->observed) == 8 &&
                   _Generic(((picket_host_settings *)0)->observed, picket_status (*)(const picket_host *host, uint64_t revision, int32_t health, picket_bytes utf8): 1, default: 0), "picket_host_settings.observed");
_Static_assert(sizeof(picket_plugin_settings) >= 16, "picket_plugin_settings");
_Static_assert(offsetof(picket_plugin_settings, struct_size) == 0 && sizeof(((picket_plugin_settings *)0)->struct_size) == 4 &&
                   _Generic(((picket_plugin_settings *)0)->struct_size, uint32_t: 1, default: 0), "picket_plugin_settings.struct_size");
_Static_assert(offsetof(picket_plugin_settings, reserved) == 4 && sizeof(((picket_plugin_settings *)0)->reserved) == 4 &&
                   _Generic(((picket_plugin_settings *)0)->reserved, uint32_t: 1, default: 0), "picket_plugin_settings.reserved");
_Static_assert(offsetof(picket_plugin_settings, apply) == 8 && sizeof(((picket_plugin_settings *)0)->apply) == 8 &&
                   _Generic(((picket_plugin_settings *)0)->apply, picket_status (*)(picket_plugin *plugin, picket_bytes settings_json, uint64_t revision): 1, default: 0), "picket_plugin_settings.apply");
_Static_assert(sizeof(picket_host_storage) >= 40, "picket_host_storage");
_Static_assert(offsetof(picket_host_storage, struct_size) == 0 && sizeof(((picket_host_storage *)0)->struct_size) == 4 &&
                   _Generic(((picket_host_storage *)0)->struct_size, uint32_t: 1, default: 0), "picket_host_storage.struct_size");
_Static_assert(offsetof(picket_host_storage, reserved) == 4 && sizeof(((picket_host_storage *)0)->reserved) == 4 &&
                   _Generic(((picket_host_storage *)0)->reserved, uint32_t: 1, default: 0), "picket_host_storage.reserved");
_Static_assert(offsetof(picket_host_storage, get) == 8 && sizeof(((picket_host_storage *)0)->get) == 8 &&
                   _Generic(((picket_host_storage *)0)->get, picket_status (*)(const picket_host *host, picket_bytes key, const picket_sink *value): 1, default: 0), "picket_host_storage.get");
_Static_assert(offsetof(picket_host_storage, put) == 16 && sizeof(((picket_host_storage *)0)->put) == 8 &&
                   _Generic(((picket_host_storage *)0)->put, picket_status (*)(const picket_host *host, picket_bytes key, picket_bytes value): 1, default: 0), "picket_host_storage.put");
_Static_assert(offsetof(picket_host_storage, remove) == 24 && sizeof(((picket_host_storage *)0)->remove) == 8 &&
                   _Generic(((picket_host_storage *)0)->remove, picket_status (*)(const picket_host *host, picket_bytes key): 1, default: 0), "picket_host_storage.remove");
_Static_assert(offsetof(picket_host_storage, list) == 32 && sizeof(((picket_host_storage *)0)->list) == 8 &&
                   _Generic(((picket_host_storage *)0)->list, picket_status (*)(const picket_host *host, const picket_sink *keys): 1, default: 0), "picket_host_storage.list");
_Static_assert(sizeof(picket_host_timer) >= 24, "picket_host_timer");
_Static_assert(offsetof(picket_host_timer, struct_size) == 0 && sizeof(((picket_host_timer *)0)->struct_size) == 4 &&
                   _Generic(((picket_host_timer *)0)->struct_size, uint32_t: 1, default: 0), "picket_host_timer.struct_size");
_Static_assert(offsetof(picket_host_timer, reserved) == 4 && sizeof(((picket_host_timer *)0)->reserved) == 4 &&
                   _Generic(((picket_host_timer *)0)->reserved, uint32_t: 1, default: 0), "picket_host_timer.reserved");
_Static_assert(offsetof(picket_host_timer, set) == 8 && sizeof(((picket_host_timer *)0)->set) == 8 &&
                   _Generic(((picket_host_timer *)0)->set, picket_status (*)(const picket_host *host, uint64_t timer_id, uint64_t delay_ms, uint64_t period_ms): 1, default: 0), "picket_host_timer.set");
_Static_assert(offsetof(picket_host_timer, cancel) == 16 && sizeof(((picket_host_timer *)0)->cancel) == 8 &&
                   _Generic(((picket_host_timer *)0)->cancel, picket_status (*)(const picket_host *host, uint64_t timer_id): 1, default: 0), "picket_host_timer.cancel");
_Static_assert(sizeof(picket_plugin_timer) >= 16, "picket_plugin_timer");
_Static_assert(offsetof(picket_plugin_timer, struct_size) == 0 && sizeof(((picket_plugin_timer *)0)->struct_size) == 4 &&
                   _Generic(((picket_plugin_timer *)0)->struct_size, uint32_t: 1, default: 0), "picket_plugin_timer.struct_size");
_Static_assert(offsetof(picket_plugin_timer, reserved) == 4 && sizeof(((picket_plugin_timer *)0)->reserved) == 4 &&
                   _Generic(((picket_plugin_timer *)0)->reserved, uint32_t: 1, default: 0), "picket_plugin_timer.reserved");
_Static_assert(offsetof(picket_plugin_timer, on_timer) == 8 && sizeof(((picket_plugin_timer *)0)->on_timer) == 8 &&
                   _Generic(((picket_plugin_timer *)0)->on_timer, void (*)(picket_plugin *plugin, uint64_t timer_id): 1, default: 0), "picket_plugin_timer.on_timer");
