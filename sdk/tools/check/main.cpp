// picket-plugin-check: is this a good plugin?
#include <cstdio>
#include <cstring>
#include <map>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/output.hpp"
#include "check/arguments.hpp"
#include "check/bench.hpp"

using namespace picket;
using check::Outcome;
using check::Verdict;

namespace {

struct Done {
  const char* name;
  Verdict verdict;
};

struct Seen {
  std::vector<Done> done;
  std::vector<check::Measured> measured;  // by bench
};

// A plugin's words reach a terminal: no control characters.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out;
}

std::vector<check::Case> cases_of(const check::Arguments& arguments) {
  std::vector<check::Case> out;
  const auto add = [&](std::span<const check::Case> more) { out.insert(out.end(), more.begin(), more.end()); };
  if (arguments.command != "run") add(check::static_cases());
  if (arguments.command != "static") {
    add(check::life_cases());
    add(check::hostile_cases());
    add(check::place_cases());
  }
  if (!arguments.only.empty()) std::erase_if(out, [&](const check::Case& c) { return arguments.only != c.name; });
  return out;
}

// Lines come out as they are known: a case may take long.
void add(std::vector<Done>& done, const check::Arguments& arguments, const char* name, Verdict verdict) {
  verdict.text = printable(verdict.text);
  if (!arguments.json) {
    std::printf("%-7s  %-20s %s\n", std::string(to_string(verdict.outcome)).c_str(), name, verdict.text.c_str());
    std::fflush(stdout);
  }
  done.push_back({name, std::move(verdict)});
}

std::vector<Done> run_all(const check::Arguments& arguments, const check::Subject& subject, const std::vector<check::Case>& cases) {
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
      verdict = check::run_in_child([&] { return which.run(subject); }, arguments.timeout);
    known[which.name] = verdict.outcome;
    add(out, arguments, which.name, std::move(verdict));
  }
  return out;
}

Seen look(const check::Arguments& arguments, const check::Subject& subject, const std::vector<check::Case>& cases) {
  Seen out;
  if (arguments.command == "fuzz") {
    add(out.done, arguments, "fuzz", check::fuzz(subject, arguments.fuzz));
  } else if (arguments.command == "bench") {
    auto bench = check::bench(subject, arguments.timeout);
    out.measured = std::move(bench.measured);
    for (const auto& one : out.measured)
      if (!arguments.json) std::printf("%-48s %10.0f /s  p50 %10.2f us  p99 %10.2f us\n", printable(one.what).c_str(), one.per_second, one.p50_us, one.p99_us);
    add(out.done, arguments, "bench", std::move(bench.verdict));
  } else {
    out.done = run_all(arguments, subject, cases);
  }
  return out;
}

void print_json(const check::Arguments& arguments, const check::Subject& subject, const Seen& seen) {
  boost::json::array results, measured;
  for (const auto& [name, verdict] : seen.done) results.push_back({{"case", name}, {"result", to_string(verdict.outcome)}, {"text", verdict.text}});
  for (const auto& one : seen.measured)
    measured.push_back({{"what", one.what}, {"calls", one.calls}, {"per_second", one.per_second}, {"p50_us", one.p50_us}, {"p99_us", one.p99_us}});
  boost::json::object document{{"schema", 1}, {"command", arguments.command}, {"file", subject.library.native()}, {"id", subject.id},
                               {"sha256", subject.digest}, {"seed", subject.seed}, {"results", std::move(results)}};
  if (arguments.command == "bench") document["measured"] = std::move(measured);
  std::printf("%s\n", boost::json::serialize(document).c_str());
}

// static judges the manifest; the others would judge a plugin that they could not even make.
Result<> be_able_to_run(const check::Subject& subject) {
  if (!subject.manifest && subject.manifest.error().code != Code::not_found) return fail(subject.manifest.error());
  if (subject.id.empty()) return fail(Code::invalid, "its id is not known: give --id or a manifest");
  return {};
}

int complain(std::string_view text) {
  std::fprintf(stderr, "picket-plugin-check: %s\n", printable(text).c_str());
  return 2;
}

int run(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::puts("picket-plugin-check " PICKET_VERSION);
    return 0;
  }
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--help") == 0) {
      std::fputs(check::usage, stdout);
      return 0;
    }
  const auto arguments = check::parse_arguments(argc, argv);
  if (!arguments) return complain(arguments.error().message);
  const auto cases = cases_of(*arguments);
  if (cases.empty()) return complain(cat("no case is named ", arguments->only, " (picket-plugin-check list names them)"));
  if (arguments->command == "list") {
    for (const auto& which : cases) std::printf("%s\n", which.name);
    return 0;
  }
  const auto subject = check::open_subject(arguments->subject);
  if (!subject) return complain(subject.error().message);
  if (arguments->command != "static")
    if (const auto able = be_able_to_run(*subject); !able) return complain(able.error().message);

  const auto seen = look(*arguments, *subject, cases);
  if (arguments->json) print_json(*arguments, *subject, seen);
  std::map<Outcome, std::size_t> count;
  for (const auto& [name, verdict] : seen.done) ++count[verdict.outcome];
  const bool is_one = arguments->command == "fuzz" || arguments->command == "bench";
  if (!arguments->json && !is_one)
    std::printf("%zu passed, %zu failed, %zu warnings, %zu skipped\n", count[Outcome::pass], count[Outcome::fail], count[Outcome::warning], count[Outcome::skipped]);
  return count[Outcome::fail] > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  return status_of_output("picket-plugin-check", run(argc, argv));
}
