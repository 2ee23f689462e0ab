// picket-digests: lists of file digests become a digest database.
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "base/output.hpp"
#include "base/progress.hpp"
#include "digests/lists.hpp"

using namespace picket;
using namespace picket::digests;

namespace {

constexpr const char* usage_text =
    "Usage: picket-digests make --variant full|light [LIST...] [--untrusted LIST] [--abusable LIST] [--trusted LIST] OUTPUT\n"
    "       picket-digests show DATABASE\n"
    "       picket-digests check DATABASE [--against LIST]...\n"
    "\n"
    "make   reads the lists and writes OUTPUT/digests.full or OUTPUT/digests.light: a folder for picket-repo add. A LIST without an option is\n"
    "       untrusted. Lists are lines of digests, \"digest;comment\", CSV with a column sha256 (and name, category, verdict), MISP warninglists\n"
    "       (JSON), or sorted raw 32-byte digests (*.bin). Only SHA-256 is used; the rest is counted and said. light leaves out what is trusted.\n"
    "show   says what a database (a file, or the folder made above) holds.\n"
    "check  reads all of it; with --against, every SHA-256 of the list must be in it (a light one: hit its filter).\n"
    "\n"
    "Exit status: 0 good, 1 not, 2 wrong usage.\n";

struct Arguments {
  std::string command, variant;
  std::vector<std::pair<std::string, Verdict>> lists;
  std::vector<std::string> plain, against;
};

Result<Arguments> parse(int argc, char** argv) {
  Arguments out;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) return fail(Code::invalid, "a command is missing: make, show or check");
  out.command = words[0];
  if (out.command.starts_with("-")) return fail(Code::invalid, cat("unknown option ", out.command));
  if (out.command != "make" && out.command != "show" && out.command != "check") return fail(Code::invalid, cat("unknown command '", out.command, "'"));
  const bool make = out.command == "make";
  bool only_plain = false;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto& word = words[i];
    if (only_plain || !word.starts_with("--")) {
      out.plain.push_back(word);
    } else if (word == "--") {
      only_plain = true;
    } else {
      const bool known = make ? word == "--variant" || word == "--untrusted" || word == "--abusable" || word == "--trusted" : out.command == "check" && word == "--against";
      if (!known) return fail(Code::invalid, cat("unknown option ", word));
      if (i + 1 == words.size() || words[i + 1].empty()) return fail(Code::invalid, cat(word, " needs a value"));
      const auto& value = words[++i];
      if (word == "--variant") out.variant = value;
      else if (word == "--against") out.against.push_back(value);
      else out.lists.emplace_back(value, word == "--trusted" ? Verdict::trusted : word == "--abusable" ? Verdict::abusable : Verdict::untrusted);
    }
  }
  if (!make) {
    if (out.plain.size() != 1) return fail(Code::invalid, cat(out.command, " needs one DATABASE"));
    return out;
  }
  if (out.variant != "full" && out.variant != "light") return fail(Code::invalid, "--variant must be full or light");
  if (out.plain.empty()) return fail(Code::invalid, "OUTPUT is missing");
  for (std::size_t i = 0; i + 1 < out.plain.size(); ++i) out.lists.emplace_back(out.plain[i], Verdict::untrusted);
  if (out.lists.empty()) return fail(Code::invalid, "no LIST is given");
  return out;
}

std::string text_of(const Counts& counts) {
  return cat(std::to_string(counts.untrusted), " untrusted, ", std::to_string(counts.abusable), " abusable, ", std::to_string(counts.trusted), " trusted");
}

Result<> make(const Arguments& arguments) {
  Collection collection;
  for (const auto& [path, verdict] : arguments.lists) {
    PICKET_LET(report, read_list(path, verdict, collection));
    std::printf("%s\n", to_text(path, report).c_str());
  }
  const std::filesystem::path folder = arguments.plain.back();
  const bool light = arguments.variant == "light";
  std::error_code error;
  if (std::filesystem::exists(folder / (light ? kFullName : kLightName), error))
    return fail(Code::conflict, cat(folder.native(), " holds the other variant: give each a folder of its own"));
  PICKET_TRY(make_folders(folder));
  PICKET_LET(written, light ? collection.write_light(folder / kLightName) : collection.write_full(folder / kFullName));
  if (written.repeated > 0) std::printf("%llu digests were there more than once\n", static_cast<unsigned long long>(written.repeated));
  if (written.in_conflict > 0) std::printf("%llu digests have several verdicts: the stricter one counts\n", static_cast<unsigned long long>(written.in_conflict));
  if (written.left_out > 0) std::printf("%llu trusted %s left out: a filter cannot say surely that a file is trusted\n", static_cast<unsigned long long>(written.left_out), written.left_out == 1 ? "digest is" : "digests are");
  const auto all = written.counts.all();
  if (all == 0) std::printf("Nothing is in it.\n");
  std::printf("%s: %llu digests (%s), %s%s\n", (folder / (light ? kLightName : kFullName)).c_str(), static_cast<unsigned long long>(all), text_of(written.counts).c_str(),
              human_bytes(written.bytes).c_str(), all == 0 ? "" : cat(", ", std::to_string(written.bytes * 800 / all / 100), ".", std::to_string(written.bytes * 80 / all % 10), " bits each").c_str());
  return {};
}

Result<std::shared_ptr<const Database>> open_named(const std::string& name) {
  std::error_code error;
  return std::filesystem::is_directory(name, error) ? Database::open_set(name) : Database::open(name);
}

Result<> show(const Arguments& arguments) {
  PICKET_LET(database, open_named(arguments.plain[0]));
  const auto counts = database->counts();
  std::printf("variant   %s\ndigests   %llu\nuntrusted %llu\nabusable  %llu\ntrusted   %llu\nbytes     %llu\n", database->is_light() ? "light" : "full", static_cast<unsigned long long>(counts.all()),
              static_cast<unsigned long long>(counts.untrusted), static_cast<unsigned long long>(counts.abusable), static_cast<unsigned long long>(counts.trusted),
              static_cast<unsigned long long>(database->bytes()));
  return {};
}

Result<> check(const Arguments& arguments) {
  PICKET_LET(database, open_named(arguments.plain[0]));
  PICKET_TRY(database->check());
  for (const auto& list : arguments.against) {
    Collection wanted;
    PICKET_LET(report, read_list(list, Verdict::untrusted, wanted));
    std::uint64_t missing = 0;
    wanted.for_each([&, &base = *database](const Sha256& digest) {
      const auto known = base.find(digest);
      missing += !known.maybe && known.verdict == Verdict::unknown;
    });
    if (missing > 0) return fail(Code::invalid, cat(std::to_string(missing), " of the ", std::to_string(report.sha256), " digests of ", list, " are not in it"));
    std::printf("all %llu digests of %s are in it\n", static_cast<unsigned long long>(report.sha256), list.c_str());
  }
  std::printf("good: %llu digests\n", static_cast<unsigned long long>(database->counts().all()));
  return {};
}

int run(int argc, char** argv) {
  if (argc == 2 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0)) {
    std::fputs(usage_text, stdout);
    return 0;
  }
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("picket-digests %s\n", PICKET_VERSION);
    return 0;
  }
  const auto arguments = parse(argc, argv);
  if (!arguments) {
    std::fprintf(stderr, "picket-digests: %s (--help explains)\n", arguments.error().message.c_str());
    return 2;
  }
  const auto done = arguments->command == "make" ? make(*arguments) : arguments->command == "show" ? show(*arguments) : check(*arguments);
  if (done) return 0;
  std::fprintf(stderr, "picket-digests: %s\n", done.error().message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) { return status_of_output("picket-digests", run(argc, argv)); }
