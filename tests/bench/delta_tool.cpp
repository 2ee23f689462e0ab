// The publisher's side of delta_bench as a program: delta_tool tar FOLDER OUT | make OLD NEW OUT. `make` prints the method.
#include <cstdio>

#include <fcntl.h>

#include "bench/delta_files.hpp"
#include "content/tar.hpp"
#include "delta/make/make.hpp"

using picket::bench::die;
using picket::bench::mapped;

int main(int argc, char** argv) {
  if (argc < 4) die("wrong usage");
  const std::string_view what = argv[1];
  const picket::UniqueFd out(::open(argv[argc - 1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!out) die("cannot create the output");
  const auto write = [&](std::string_view bytes) { return picket::write_all(out.get(), bytes); };
  picket::Result<> done;
  if (what == "tar") {
    auto listing = picket::content::list(argv[2]);
    if (!listing) die(listing.error().message);
    done = picket::content::write_tar(argv[2], *listing, write);
  } else if (what == "make" && argc == 5) {
    auto made = picket::delta::make(mapped(argv[2]), mapped(argv[3]));
    if (!made) die(made.error().message);
    std::printf("%s\n", std::string(picket::delta::to_string(made->method)).c_str());
    done = write(made->bytes);
  } else {
    die("wrong usage");
  }
  if (!done) die(done.error().message);
  return 0;
}
