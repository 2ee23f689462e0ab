// The agent's side of delta_bench as a program: delta_apply OLD DELTA OUT. Linked statically: the agent, which applies a delta in its own process,
// has no libraries to load for it.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/files.hpp"
#include "delta/delta.hpp"

namespace {

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "delta_apply: %s\n", what.c_str());
  std::exit(1);
}

std::string_view mapped(const char* path) {
  const picket::UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) die(std::string("cannot open ") + path);
  const auto size = static_cast<std::size_t>(info.st_size);
  auto* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (start == MAP_FAILED) die(std::string("cannot map ") + path);
  return {static_cast<const char*>(start), size};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) die("wrong usage");
  const picket::UniqueFd out(::open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!out) die("cannot create the output");
  const auto done = picket::delta::apply(mapped(argv[1]), mapped(argv[2]), {1ull << 32}, [&](std::string_view bytes) { return picket::write_all(out.get(), bytes); });
  if (!done) die(done.error().message);
  return 0;
}
