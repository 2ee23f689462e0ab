#include "isolation/sandbox.hpp"

#include <cstdio>

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/files.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PICKET_HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PICKET_HAS_SANITIZER 1
#endif
#endif

namespace picket::isolation {

namespace {

Result<> limit(int what, rlim_t value, const char* name) {
  rlimit now{};
  if (::getrlimit(static_cast<__rlimit_resource>(what), &now) != 0) return fail_errno(name);
  if (now.rlim_max != RLIM_INFINITY && now.rlim_max < value) value = now.rlim_max;
  const rlimit wanted{value, value};
  if (::setrlimit(static_cast<__rlimit_resource>(what), &wanted) != 0) return fail_errno(name);
  return {};
}

[[maybe_unused]] Result<std::uint64_t> address_space_in_use() {
  PICKET_LET(text, read_file("/proc/self/statm", 4096));
  unsigned long pages = 0;
  if (std::sscanf(text.c_str(), "%lu", &pages) != 1) return fail(Code::io, "cannot read /proc/self/statm");
  return std::uint64_t{pages} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Result<> sandbox_before_load() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("no_new_privs");
  PICKET_TRY(limit(RLIMIT_CORE, 0, "limit core dumps"));
  // One arena: each further one reserves 64 MB of address space, which would count against the plugin's limit.
  ::mallopt(M_ARENA_MAX, 1);
  return {};
}

Result<> sandbox_before_create(std::uint32_t memory_mb) {
#ifdef PICKET_HAS_SANITIZER
  static_cast<void>(memory_mb);
  return {};
#else
  PICKET_LET(used, address_space_in_use());
  return limit(RLIMIT_AS, used + (std::uint64_t{memory_mb} << 20), "limit memory");
#endif
}

}  // namespace picket::isolation
