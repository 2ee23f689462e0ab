// picket-plugin-host: started by picketd only. One plugin in a process of its own, or its trial.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "plugin_host/child/serve.hpp"
#include "plugin_host/child/trial.hpp"

using namespace picket;
using namespace picket::plugin_host;

namespace {

constexpr const char* usage =
    "usage: picket-plugin-host --serve --socket FD --library FD\n"
    "       picket-plugin-host --trial --library FD --id ID [--in-process]\n"
    "Started by picketd; the descriptors are inherited from it.\n";

struct Arguments {
  bool serve = false, trial = false, in_process = false;
  int socket = -1, library = -1;
  std::string id;
};

bool read_fd(const char* text, int& into) {
  const auto* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, into);
  return error == std::errc() && stop == end && into > 2 && ::fcntl(into, F_SETFD, FD_CLOEXEC) == 0;
}

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--serve") out.serve = true;
    else if (option == "--trial") out.trial = true;
    else if (option == "--in-process") out.in_process = true;
    else if (option == "--socket" && read_fd(value, out.socket)) ++i;
    else if (option == "--library" && read_fd(value, out.library)) ++i;
    else if (option == "--id" && *value != '\0') out.id = value, ++i;
    else return false;
  }
  return out.serve != out.trial && out.library > 2 && (out.serve ? out.socket > 2 : !out.id.empty());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view only = argc == 2 ? argv[1] : "";
  if (only == "--help" || only == "-h") return std::fputs(usage, stdout) < 0;
  if (only == "--version") return std::puts("picket-plugin-host " PICKET_VERSION) < 0;
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fputs(usage, stderr);
    return 2;
  }
  ::setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto done = arguments.serve ? child::serve(UniqueFd(arguments.socket), UniqueFd(arguments.library))
                                    : child::try_library(UniqueFd(arguments.library), arguments.id, arguments.in_process);
  int status = 0;
  if (!done) {
    std::fprintf(arguments.trial ? stdout : stderr, "%s%s\n", arguments.trial ? "refused: " : "", done.error().message.c_str());
    status = 1;
  }
  // Static destructors of the plugin have nothing more to do for anybody; they may only hang.
  std::fflush(nullptr);
  ::_exit(status);
}
