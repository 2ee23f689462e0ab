// An entry that is wrong in the way that a definition chooses.
#include <cstring>

#include <picket/plugin.h>

#ifndef MAGIC
#define MAGIC PICKET_ENTRY_MAGIC
#endif
#ifndef SIZE
#define SIZE sizeof(picket_entry)
#endif
#ifndef MAJOR
#define MAJOR PICKET_ABI_MAJOR
#endif
#ifndef MINOR_NEEDED
#define MINOR_NEEDED 0
#endif
#ifndef ENTRY
#define ENTRY picket_plugin_entry_v1
#endif

namespace {

picket_status start(picket_plugin*, picket_bytes, uint64_t) { return PICKET_OK; }
picket_status stop(picket_plugin*, uint32_t) { return PICKET_OK; }
void destroy(picket_plugin*) {}
const void* get_extension(picket_plugin*, const char*) { return nullptr; }
[[maybe_unused]] picket_plugin table = {sizeof(picket_plugin), 0, nullptr, &start, &stop, &destroy, &get_extension};

picket_status create(const picket_host*, const char* id, picket_plugin** out) {
#if defined(ANY_ID)
  static_cast<void>(id);
#elif defined(OTHER_ID)
  if (std::strcmp(id, "org.picket.test.another") != 0) return PICKET_E_INVALID;
#else
  if (std::strcmp(id, "org.picket.test.bad") != 0) return PICKET_E_INVALID;
#endif
#if defined(NO_INSTANCE)
  static_cast<void>(out);
#elif defined(SMALL_TABLE)
  table.struct_size = 16;
  *out = &table;
#else
  *out = &table;
#endif
  return PICKET_OK;
}

}  // namespace

extern "C" {
#ifdef MISSING_SYMBOL
void a_function_that_nobody_has();
PICKET_EXPORT extern void* const keeps_it;
void* const keeps_it = reinterpret_cast<void*>(&a_function_that_nobody_has);
#endif
#ifdef EXTRA_SYMBOL
PICKET_EXPORT extern const int another_symbol;
const int another_symbol = 1;
#endif
PICKET_EXPORT extern const picket_entry ENTRY;
const picket_entry ENTRY = {MAGIC, SIZE, MAJOR, PICKET_ABI_MINOR, MINOR_NEEDED, 0, &create};
}
