// picket-repo: publishes content for Picket agents.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "base/output.hpp"
#include "repo/session.hpp"

namespace {

using picket::repo::Arguments;
using picket::repo::Command;
using picket::repo::Exit;

std::vector<Command> all_commands() {
  std::vector<Command> out;
  for (auto group : {picket::repo::setup_commands(), picket::repo::key_commands(), picket::repo::content_commands(), picket::repo::role_commands(),
                     picket::repo::report_commands(), picket::repo::dsse_commands(), picket::repo::export_commands()})
    out.insert(out.end(), group.begin(), group.end());
  return out;
}

void print_overview(const std::vector<Command>& commands, std::FILE* to) {
  std::fprintf(to, "Usage: picket-repo COMMAND [options]\n\nPublishes content for Picket agents: signed repositories from plain folders.\n\nCommands:\n");
  for (const auto& command : commands) {
    const auto first_line = command.text.summary.substr(0, command.text.summary.find_first_of(".\n"));
    std::fprintf(to, "  %-18.*s %.*s\n", static_cast<int>(command.text.name.size()), command.text.name.data(), static_cast<int>(first_line.size()), first_line.data());
  }
  std::fprintf(to,
               "\nA first repository:\n"
               "  picket-repo init --repo /srv/picket\n"
               "  picket-repo add --repo /srv/picket --component yara-rules --variant full --release 1 rules/\n"
               "  picket-repo sign --repo /srv/picket && picket-repo publish --repo /srv/picket\n"
               "Then serve /srv/picket/repository with any web server, and give agents its metadata/1.root.json.\n"
               "\npicket-repo COMMAND --help tells more. Exit status: 0 done, 1 failed, 2 wrong usage.\n");
}

int run(const Arguments& arguments) {
  const auto commands = all_commands();
  if (arguments.empty()) {
    print_overview(commands, stderr);
    return Exit::usage;
  }
  if (arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    print_overview(commands, stdout);
    return Exit::ok;
  }
  if (arguments[0] == "--version") {
    std::printf("picket-repo %s\n", PICKET_VERSION);
    return Exit::ok;
  }
  // The longest name that the first words spell: "role keys add" before "role".
  for (std::size_t words = std::min<std::size_t>(3, arguments.size()); words > 0; --words) {
    std::string name = arguments[0];
    for (std::size_t i = 1; i < words; ++i) name += " " + arguments[i];
    for (const auto& command : commands)
      if (command.text.name == name) return command.run(command.text, Arguments(arguments.begin() + static_cast<std::ptrdiff_t>(words), arguments.end()));
  }
  // The topic alone, like "role": what it knows.
  std::string known;
  const bool topic_help = arguments.size() > 1 && (arguments[1] == "--help" || arguments[1] == "-h");
  for (const auto& command : commands)
    if (command.text.name.starts_with(arguments[0] + " ")) known += (known.empty() ? "" : ", ") + std::string(command.text.name);
  if (!known.empty() && topic_help) {
    std::printf("Commands: %s\npicket-repo COMMAND --help tells more.\n", known.c_str());
    return Exit::ok;
  }
  if (arguments[0].starts_with("-")) {
    std::fprintf(stderr, "picket-repo: unknown option '%s'; see picket-repo --help\n", arguments[0].c_str());
    return Exit::usage;
  }
  std::fprintf(stderr, "picket-repo: unknown command \"%s%s%s\"%s%s; see picket-repo --help\n", arguments[0].c_str(), known.empty() || arguments.size() < 2 ? "" : " ",
               known.empty() || arguments.size() < 2 ? "" : arguments[1].c_str(), known.empty() ? "" : "; there are: ", known.c_str());
  return Exit::usage;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is a write error, told as such
  try {
    return picket::status_of_output("picket-repo", run(Arguments(argv + 1, argv + argc)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "picket-repo: internal error: %s\n", error.what());
    return Exit::failed;
  }
}
