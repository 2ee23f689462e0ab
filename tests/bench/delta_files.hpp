// What the two programs of delta_bench share.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/files.hpp"

namespace picket::bench {

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "delta_bench: %s\n", what.c_str());
  std::exit(1);
}

// Until the program ends.
inline std::string_view mapped(const char* path) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) die(std::string("cannot open ") + path);
  const auto size = static_cast<std::size_t>(info.st_size);
  auto* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (start == MAP_FAILED) die(std::string("cannot map ") + path);
  return {static_cast<const char*>(start), size};
}

}  // namespace picket::bench
