// picket-plugin-check: is this a good plugin?
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "check/case.hpp"

using namespace picket;
using check::Outcome;
using check::Verdict;

namespace {

constexpr const char* usage =
    "usage: picket-plugin-check static|run|list [PACKAGE_FOLDER|FILE.so] [options]\n"
    "\n"
    "static looks at the file and its manifest, run leads the plugin through its life, list names the cases.\n"
    "  --id ID            the plugin's id (else from the manifest)\n"
    "  --manifest FILE    plugin.json, also one that has no sha256 yet (else the one in the same folder)\n"
    "  --settings FILE    JSON settings to start it with (else the defaults of the manifest's schema)\n"
    "  --only CASE        this case, whatever it builds upon\n"
    "  --timeout SECONDS  for each case; 20\n"
    "  --seed N           of the random bytes; 1\n"
    "  --in-process       no child and no timeout, for a debugger; needs --only\n"
    "  --json             one JSON document instead of lines\n"
    "\n"
    "Ends with 0 when nothing failed, 1 when a case failed, 2 when it could not look.\n";

struct Arguments {
  std::string command, only;
  check::SubjectOptions subject;
  unsigned long timeout_s = 20;
  bool in_process = false, json = false;
};

struct Done {
  const char* name;
  Verdict verdict;
};

Result<unsigned long> number(const char* option, const char* text, unsigned long most) {
  char* end = nullptr;
  const unsigned long value = std::strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || value > most)
    return fail(Code::invalid, cat(option, " must be a number up to ", std::to_string(most), ", not \"", text, "\""));
  return value;
}

Result<Arguments> parse(int argc, char** argv) {
  Arguments out;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--in-process" || word == "--json") {
      (word == "--json" ? out.json : out.in_process) = true;
      continue;
    }
    if (!word.starts_with("--")) {
      if (out.command.empty()) out.command = word;
      else if (out.subject.path.empty()) out.subject.path = word;
      else return fail(Code::invalid, cat("one plugin at a time, not also ", word));
      continue;
    }
    const bool known = word == "--id" || word == "--manifest" || word == "--settings" || word == "--only" || word == "--timeout" || word == "--seed";
    if (!known) return fail(Code::invalid, cat("unknown option ", word, " (--help lists them)"));
    if (i + 1 == argc || *argv[i + 1] == '\0') return fail(Code::invalid, cat(word, " needs a value"));
    const char* value = argv[++i];
    if (word == "--id") out.subject.id = value;
    if (word == "--manifest") out.subject.manifest = value;
    if (word == "--settings") out.subject.settings = value;
    if (word == "--only") out.only = value;
    if (word == "--timeout") {
      PICKET_LET(seconds, number("--timeout", value, 3600));
      if (seconds == 0) return fail(Code::invalid, "--timeout must be at least 1");
      out.timeout_s = seconds;
    }
    if (word == "--seed") {
      PICKET_LET(seed, number("--seed", value, 0xffffffff));
      out.subject.seed = seed;
    }
  }
  if (out.command != "static" && out.command != "run" && out.command != "list") return fail(Code::invalid, "say static, run or list (--help explains)");
  if (out.command != "list" && out.subject.path.empty()) return fail(Code::invalid, "name a package folder or a shared object");
  if (out.in_process && out.only.empty()) return fail(Code::invalid, "--in-process needs --only CASE: a case may end the process");
  return out;
}

// A plugin's words reach a terminal: no control characters.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

std::vector<check::Case> cases_of(const Arguments& arguments) {
  std::vector<check::Case> out;
  const auto add = [&](std::span<const check::Case> more) { out.insert(out.end(), more.begin(), more.end()); };
  if (arguments.command != "run") add(check::static_cases());
  if (arguments.command != "static") {
    add(check::life_cases());
    add(check::hostile_cases());
  }
  if (!arguments.only.empty()) std::erase_if(out, [&](const check::Case& c) { return arguments.only != c.name; });
  return out;
}

std::vector<Done> run_all(const Arguments& arguments, const check::Subject& subject, const std::vector<check::Case>& cases) {
  std::vector<Done> out;
  std::map<std::string_view, Outcome> known;
  for (const auto& which : cases) {
    const auto needed = known.find(which.needs);
    Verdict verdict;
    if (arguments.only.empty() && needed != known.end() && (needed->second == Outcome::fail || needed->second == Outcome::skipped))
      verdict = check::skipped(cat("needs ", which.needs));
    else if (arguments.in_process)
      verdict = which.run(subject);
    else
      verdict = run_in_child(which, subject, std::chrono::seconds(arguments.timeout_s));
    verdict.text = printable(verdict.text);
    known[which.name] = verdict.outcome;
    if (!arguments.json) {
      std::printf("%-7s  %-20s %s\n", std::string(to_string(verdict.outcome)).c_str(), which.name, verdict.text.c_str());
      std::fflush(stdout);
    }
    out.push_back({which.name, std::move(verdict)});
  }
  return out;
}

void print_json(const Arguments& arguments, const check::Subject& subject, const std::vector<Done>& done) {
  boost::json::array results;
  for (const auto& [name, verdict] : done) results.push_back({{"case", name}, {"result", to_string(verdict.outcome)}, {"text", verdict.text}});
  const boost::json::object document{{"schema", 1}, {"command", arguments.command}, {"file", subject.library.native()}, {"id", subject.id},
                                     {"sha256", subject.digest}, {"seed", subject.seed}, {"results", std::move(results)}};
  std::printf("%s\n", boost::json::serialize(document).c_str());
}

int complain(std::string_view text) {
  std::fprintf(stderr, "picket-plugin-check: %s\n", printable(text).c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::puts("picket-plugin-check " PICKET_VERSION);
    return 0;
  }
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--help") == 0) {
      std::fputs(usage, stdout);
      return 0;
    }
  const auto arguments = parse(argc, argv);
  if (!arguments) return complain(arguments.error().message);
  const auto cases = cases_of(*arguments);
  if (cases.empty()) return complain(cat("no case is named ", arguments->only, " (picket-plugin-check list names them)"));
  if (arguments->command == "list") {
    for (const auto& which : cases) std::printf("%s\n", which.name);
    return 0;
  }
  const auto subject = check::open_subject(arguments->subject);
  if (!subject) return complain(subject.error().message);

  const auto done = run_all(*arguments, *subject, cases);
  if (arguments->json) print_json(*arguments, *subject, done);
  std::map<Outcome, std::size_t> count;
  for (const auto& [name, verdict] : done) ++count[verdict.outcome];
  if (!arguments->json)
    std::printf("%zu passed, %zu failed, %zu warnings, %zu skipped\n", count[Outcome::pass], count[Outcome::fail], count[Outcome::warning], count[Outcome::skipped]);
  return count[Outcome::fail] > 0 ? 1 : 0;
}
