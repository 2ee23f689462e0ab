// picket-launcher [options] -- /usr/sbin/picketd [its options]
#include <charconv>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include "launcher/launcher.hpp"

namespace {

constexpr const char* kUsage =
    "Usage: picket-launcher [options] [--] PICKETD [its options]\n"
    "Starts picketd: the installed one, or the release in slot A or B that updates brought. A new release that does not prove itself is taken back.\n"
    "  --slots DIR         state and slots (default /var/lib/picket/slots)\n"
    "  --prove-within S    a new release must be well in so many seconds (default 120)\n"
    "  --attempts N        and may end so often before (default 3)\n"
    "  --settle S          it must stay up so long to be well (default 10)\n"
    "  --probation S       after that it is taken back all the same when, within so many seconds (default 86400),\n"
    "  --crashes N         it crashes so often (default 3)\n"
    "  --help, --version   print and leave\n";

int complain(std::string_view text) {
  std::fprintf(stderr, "picket-launcher: %.*s; see picket-launcher --help\n", static_cast<int>(text.size()), text.data());
  return 2;
}

bool read_number(std::string_view text, unsigned& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc() && end == text.data() + text.size() && into > 0 && into <= 86400;
}

}  // namespace

int main(int argc, char** argv) {
  picket::launcher::Options options;
  options.slots = "/var/lib/picket/slots";
  unsigned prove_within = 120, settle = 10, probation = 86'400;
  const std::map<std::string_view, unsigned*> numbers = {{"--prove-within", &prove_within}, {"--attempts", &options.attempts}, {"--settle", &settle},
                                                         {"--probation", &probation},       {"--crashes", &options.crashes}};
  int at = 1;
  for (; at < argc && argv[at][0] == '-'; ++at) {
    const std::string_view name = argv[at];
    if (name == "--") {
      ++at;
      break;
    }
    if (name == "--help" || name == "--version") {
      std::fputs(name == "--help" ? kUsage : "picket-launcher " PICKET_VERSION "\n", stdout);
      return 0;
    }
    const auto number = numbers.find(name);
    if (number == numbers.end() && name != "--slots") return complain(std::string("unknown option ").append(name));
    if (at + 1 == argc) return complain(std::string(name).append(" needs a value"));
    const char* value = argv[++at];
    if (name == "--slots") options.slots = value;
    else if (!read_number(value, *number->second))
      return complain(std::string(name).append(": '").append(value).append("' is not a number from 1 to 86400"));
  }
  if (at == argc) return complain("no picketd is named");
  if (!options.slots.is_absolute()) return complain("--slots: not an absolute path");
  options.package.assign(argv + at, argv + argc);
  options.prove_within = std::chrono::seconds(prove_within);
  options.settle = std::chrono::seconds(settle);
  options.probation = std::chrono::seconds(probation);
  options.log = [](std::string_view line) {
    std::fprintf(stderr, "picket-launcher: %.*s\n", static_cast<int>(line.size()), line.data());
    std::fflush(stderr);
  };
  return picket::launcher::launch(options);
}
