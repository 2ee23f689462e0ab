// The publisher's side of delta_bench as a program: delta_tool tar FOLDER OUT | make OLD NEW OUT. `make` prints the method.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/files.hpp"
#include "content/tar.hpp"
#include "delta/make/make.hpp"

namespace {

using picket::Result;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "delta_tool: %s\n", what.c_str());
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
  if (argc < 4) die("wrong usage");
  const std::string_view what = argv[1];
  const picket::UniqueFd out(::open(argv[argc - 1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!out) die("cannot create the output");
  const auto write = [&](std::string_view bytes) { return picket::write_all(out.get(), bytes); };
  Result<> done;
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
