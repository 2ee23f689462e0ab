// The agent's side of delta_bench as a program: delta_apply OLD DELTA OUT. Linked statically: the agent, which applies a delta in its own process,
// has no libraries to load for it.
#include <cstdio>

#include <fcntl.h>

#include "bench/delta_files.hpp"
#include "delta/delta.hpp"

using picket::bench::die;
using picket::bench::mapped;

int main(int argc, char** argv) {
  if (argc != 4) die("wrong usage");
  const picket::UniqueFd out(::open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!out) die("cannot create the output");
  const auto done = picket::delta::apply(mapped(argv[1]), mapped(argv[2]), {1ull << 32}, [&](std::string_view bytes) { return picket::write_all(out.get(), bytes); });
  if (!done) die(done.error().message);
  return 0;
}
