// picket-ksn: sets up and fills a private KSN.
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/output.hpp"
#include "ksn/arguments.hpp"

namespace {

using namespace picket;

struct Entry {
  const char* name;
  ksn_tool::Command run;
  const char* summary;
};
constexpr Entry kCommands[] = {
    {"run", ksn_tool::run_run, R"(run FOLDER [options of init] [--picketd FILE] [-- options of picketd]
       make a KSN in FOLDER if there is none, and serve it)"},
    {"init", ksn_tool::run_init, R"(init FOLDER [--name N] [--contact C] [--server https://HOST:PORT]... [--listen A] [--port P]
       [--store FOLDER|redis:HOST:PORT,...] [--certificate F --key F [--authority F]]
       [--licences yes|no]
       make a KSN in FOLDER; --server: as clients reach it)"},
    {"import", ksn_tool::run_import, R"(import FILE... --ksn FOLDER [--verdict trusted|abusable|untrusted]
       [--kind file|address|software] [--category C] [--threat T] [--publisher P] [--product P]
       [--format csv|plain|misp] [--strict]
       add lists; status 1 when less than half of one was understood, or nothing; with --strict,
       when not all of it was, or was a digest other than SHA-256)"},
    {"remove", ksn_tool::run_remove, R"(remove DIGEST|ADDRESS... --ksn FOLDER
  remove --publisher P [--product P] --ksn FOLDER
       forget objects; status 1 when one was not known)"},
    {"licence", ksn_tool::run_licence, R"(licence add ID [--until YYYY-MM-DD] [--holder H] --ksn FOLDER
  licence block ID | unblock ID | list --ksn FOLDER
       add changes one that is known; blocked it stays blocked)"},
    {"provider", ksn_tool::run_provider, R"(provider show FILE --trust KEY.pub.json
       what clients will believe of it)"},
    {"key", ksn_tool::run_key, R"(key show FILE.pub.json
       the id of a public key
  key rotate | change --ksn FOLDER [--provider-key FILE]
  key retire --ksn FOLDER [--provider-key FILE] [--at-once yes]
       a new answer key: named to clients, signing, the old one forgotten)"},
    {"show", ksn_tool::run_show, R"(show DIGEST|ADDRESS... --ksn FOLDER
  show --publisher P [--product P] --ksn FOLDER
       what is known)"},
    {"stats", ksn_tool::run_stats, R"(stats --ksn FOLDER
       objects, licences, and what clients counted, by day)"},
};

void usage(std::FILE* to) {
  std::fprintf(to, R"(Usage: picket-ksn COMMAND ...

Sets up and fills a private KSN. Instead of --ksn FOLDER: --store FOLDER|redis:HOST:PORT,...
Without either: the store /var/lib/picket/ksn/store.

Commands:
)");
  for (const auto& command : kCommands) std::fprintf(to, "  %s\n", command.summary);
  std::fprintf(to, R"(  help [COMMAND]

A first KSN:
  picket-ksn run /srv/ksn --name "Example's KSN" --server https://ksn.example.org:13112
  picket-ksn licence add L-2026 --ksn /srv/ksn
  picket-ksn import hashes.csv --verdict untrusted --ksn /srv/ksn
Give clients /srv/ksn/provider.json, and /srv/ksn/provider.pub.json to trust it.
Exit status: 0 done, 1 failed, 2 wrong usage.
)");
}

bool asks_help(const std::string& word) { return word == "--help" || word == "-h"; }

int run(const std::vector<std::string>& text) {
  if (text.empty()) return usage(stderr), 2;
  if (text.size() == 1 && (asks_help(text[0]) || text[0] == "help")) return usage(stdout), 0;
  if (text[0] == "--version") return std::printf("picket-ksn %s\n", PICKET_VERSION), 0;
  // help COMMAND and COMMAND --help are the same.
  const bool first = asks_help(text[0]) || text[0] == "help", helps = first || (text.size() > 1 && asks_help(text[1]));
  const auto& named = text[first ? 1 : 0];
  for (const auto& command : kCommands) {
    if (named != command.name) continue;
    if (helps) return std::printf("Usage: picket-ksn %s\n", command.summary), 0;
    const auto done = command.run({text.begin() + 1, text.end()});
    if (done) return 0;
    std::fflush(stdout);
    std::fprintf(stderr, "picket-ksn: %s\n", plain_line(done.error().message, 4096).c_str());
    return done.error().code == Code::invalid ? 2 : 1;
  }
  std::fprintf(stderr, "picket-ksn: unknown %s '%s'; see picket-ksn --help\n", named.starts_with("-") ? "option" : "command", named.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return status_of_output("picket-ksn", run({argv + 1, argv + argc}));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "picket-ksn: internal error: %s\n", error.what());
    return 1;
  }
}
