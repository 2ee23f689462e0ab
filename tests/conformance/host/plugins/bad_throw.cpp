// Without the wrapper: throws straight through the C boundary, from create, start, stop or message; with -DIN_CONSTRUCTOR at load.
#include <cstring>
#include <stdexcept>
#include <string>

#include <picket/ext/bus.h>

#include "when.hpp"

#ifdef IN_CONSTRUCTOR
static int thrower() { throw std::runtime_error("thrown at load"); }
[[maybe_unused]] static const int thrown = thrower();
#endif

namespace {

const picket_host* host = nullptr;
const picket_host_bus* host_bus = nullptr;
std::string when;

picket_status start(picket_plugin*, picket_bytes settings, uint64_t) {
  when = read_when({static_cast<const char*>(settings.data), settings.size});
  if (when == "start") throw std::runtime_error("thrown in start");
  return host_bus->subscribe(host, {"test.event", 10});
}
picket_status stop(picket_plugin*, uint32_t) {
  if (when == "stop") throw 42;
  return PICKET_OK;
}
void destroy(picket_plugin*) {}
void on_message(picket_plugin*, const picket_message*) {
  if (when == "message") throw std::runtime_error("thrown in on_message");
}
void on_request(picket_plugin*, uint64_t id, const picket_message*) {
  host_bus->respond(host, id, PICKET_OK, {}, {"alive", 5});
  if (when == "message") throw std::runtime_error("thrown in on_request");
}
const picket_plugin_bus bus = {sizeof(picket_plugin_bus), 0, &on_message, &on_request, nullptr, nullptr, nullptr, nullptr, nullptr};
const void* get_extension(picket_plugin*, const char* id) { return std::strcmp(id, PICKET_EXT_BUS) == 0 ? &bus : nullptr; }

picket_plugin table = {sizeof(picket_plugin), 0, nullptr, &start, &stop, &destroy, &get_extension};

picket_status create(const picket_host* given, const char* id, picket_plugin** out) {
  if (std::strcmp(id, "org.picket.test.bad") != 0) return PICKET_E_INVALID;
#ifdef IN_CREATE
  throw std::runtime_error("thrown in create");
#endif
  host = given;
  host_bus = static_cast<const picket_host_bus*>(given->get_extension(given, PICKET_EXT_BUS));
  *out = &table;
  return PICKET_OK;
}

}  // namespace

extern "C" {
PICKET_EXPORT extern const picket_entry picket_plugin_entry_v1;
const picket_entry picket_plugin_entry_v1 = {PICKET_ENTRY_MAGIC, sizeof(picket_entry), PICKET_ABI_MAJOR, PICKET_ABI_MINOR, 0, 0, &create};
}
