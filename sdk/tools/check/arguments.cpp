#include "check/arguments.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace picket::check {

const char* const usage =
    "usage: picket-plugin-check static|run|fuzz|bench|list [PACKAGE_FOLDER|FILE.so] [options]\n"
    "\n"
    "static looks at the file and its manifest, run leads the plugin through its life, list names the cases of both.\n"
    "run also sees each file that it writes outside its storage (where the kernel has seccomp listeners: Linux 5.5), and holds what it says in the\n"
    "agent's process, as far as a plugin can tell, against what it says in a child of its own.\n"
    "fuzz tells it random and spoiled things on every topic, gives it settings at every edge of their schema and refuses its calls, until something\n"
    "breaks: a crash, a hang, a broken rule; it says what was told last, and which seed and iteration bring it back.\n"
    "bench prints one line each for start, stop, every subscribed topic and every answered one: calls per second, and p50 and p99 of one call.\n"
    "  --id ID            the plugin's id (else from the manifest)\n"
    "  --manifest FILE    plugin.json, also one that has no sha256 yet (else the one in the same folder)\n"
    "  --settings FILE    JSON settings to start it with (else the defaults of the manifest's schema)\n"
    "  --only CASE        static, run: this case, whatever it builds upon\n"
    "  --timeout SECONDS  static, run: for each case; fuzz: for each call; bench: for all; 20\n"
    "  --seed N           of the random bytes; 1\n"
    "  --seconds N        fuzz: for so long; 10\n"
    "  --iterations N     fuzz: one life of so many, instead of --seconds\n"
    "  --in-process       no child and no timeout, for a debugger; needs --only, or --iterations (same-in-both-homes keeps its children)\n"
    "  --json             one JSON document instead of lines\n"
    "\n"
    "Ends with 0 when nothing failed, 1 when a case failed, 2 when it could not look.\n";

namespace {

constexpr std::array known_commands{"static", "run", "fuzz", "bench", "list"};
constexpr std::array known_options{"--id", "--manifest", "--settings", "--only", "--timeout", "--seed", "--seconds", "--iterations"};

template <class Names>
bool is_one_of(const Names& names, std::string_view word) {
  return std::find(names.begin(), names.end(), word) != names.end();
}

Result<unsigned long> number(std::string_view option, const char* text, unsigned long least, unsigned long most) {
  char* end = nullptr;
  const unsigned long value = std::strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || value > most)
    return fail(Code::invalid, cat(option, " must be a number up to ", std::to_string(most), ", not \"", text, "\""));
  if (value < least) return fail(Code::invalid, cat(option, " must be at least ", std::to_string(least)));
  return value;
}

Result<> take(Arguments& out, std::string_view option, const char* value) {
  if (option == "--id") out.subject.id = value;
  if (option == "--manifest") out.subject.manifest = value;
  if (option == "--settings") out.subject.settings = value;
  if (option == "--only") out.only = value;
  if (option == "--seed") {
    PICKET_LET(seed, number(option, value, 0, 0xffffffff));
    out.subject.seed = seed;
  }
  if (option == "--timeout" || option == "--seconds") {
    PICKET_LET(seconds, number(option, value, 1, option == "--timeout" ? 3600 : 86400));
    (option == "--timeout" ? out.timeout : out.fuzz.time) = std::chrono::seconds(seconds);
  }
  if (option == "--iterations") {
    PICKET_LET(iterations, number(option, value, 1, 1'000'000));
    out.fuzz.iterations = iterations;
  }
  return {};
}

Result<> hold_together(const Arguments& given) {
  if (!is_one_of(known_commands, given.command)) return fail(Code::invalid, "say static, run, fuzz, bench or list (--help explains)");
  if (given.command != "list" && given.subject.path.empty()) return fail(Code::invalid, "name a package folder or a shared object");
  const bool has_cases = given.command != "fuzz" && given.command != "bench";
  if (!given.only.empty() && !has_cases) return fail(Code::invalid, cat(given.command, " has no cases: leave --only out"));
  if (!given.in_process) return {};
  if (has_cases && given.only.empty()) return fail(Code::invalid, "--in-process needs --only CASE: a case may end the process");
  if (given.command == "fuzz" && given.fuzz.iterations == 0) return fail(Code::invalid, "--in-process needs --iterations N: it leads one life");
  if (given.command == "bench") return fail(Code::invalid, "bench has no --in-process");
  return {};
}

}  // namespace

Result<Arguments> parse_arguments(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--in-process" || word == "--json") {
      (word == "--json" ? out.json : out.in_process) = true;
    } else if (word.starts_with("--")) {
      if (!is_one_of(known_options, word)) return fail(Code::invalid, cat("unknown option ", word, " (--help lists them)"));
      if (i + 1 == argc || *argv[i + 1] == '\0') return fail(Code::invalid, cat(word, " needs a value"));
      PICKET_TRY(take(out, word, argv[++i]));
    } else if (out.command.empty()) {
      out.command = word;
    } else if (out.subject.path.empty()) {
      out.subject.path = word;
    } else {
      return fail(Code::invalid, cat("one plugin at a time, not also ", word));
    }
  }
  out.fuzz.call_limit = out.timeout;
  out.fuzz.in_process = out.in_process;
  out.subject.case_limit = out.in_process ? std::chrono::hours(24) : out.timeout;
  PICKET_TRY(hold_together(out));
  return out;
}

}  // namespace picket::check
