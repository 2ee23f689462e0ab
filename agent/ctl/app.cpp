#include "ctl/app.hpp"

#include <fstream>
#include <optional>

#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <boost/program_options.hpp>

#include "ctl/command.hpp"
#include "ctl/proto_json.hpp"
#include "picket/host/v1/host.pb.h"
#include "runtime/log_text.hpp"

namespace picket::ctl {
namespace {

namespace po = boost::program_options;
constexpr const char* default_config = "/etc/picket/picketd.conf";
constexpr const char* default_run_dir = "/run/picket";

}  // namespace

Result<std::filesystem::path> socket_path(const std::optional<std::string>& socket, const std::optional<std::string>& config) {
  if (socket) return std::filesystem::path(*socket);
  const bool named = config.has_value();
  const std::string file = config.value_or(default_config);
  std::ifstream stream(file);
  std::string run_dir = default_run_dir;
  if (!stream) {
    if (named) return fail_errno(cat("open ", file));
  } else {
    try {
      po::options_description known;
      known.add_options()("run-dir", po::value(&run_dir));
      po::variables_map map;
      po::store(po::parse_config_file(stream, known, true), map);
      po::notify(map);
    } catch (const po::error& error) {
      return fail(Code::invalid, cat(file, ": ", error.what()));
    }
  }
  return std::filesystem::path(run_dir) / "picketd.sock";
}

namespace {

Result<std::chrono::milliseconds> timeout(const Invocation& asked) {
  Terminal none(-1, -1);
  Session unused({}, {}, {});
  const auto seconds = Context(asked, none, unused, 0, {}).number("timeout", 10, 86400);
  if (!seconds) return fail(Error(seconds.error()));
  if (*seconds == 0) return fail(Code::invalid, "--timeout: 0 would never wait for an answer");
  return std::chrono::seconds(*seconds);
}

Exit exit_of(const Error& error, const Session* session) {
  if (error.code == Code::cancelled) return Exit::interrupted;
  return session != nullptr && session->is_unreachable() ? Exit::unreachable : Exit::failed;
}

void report(const Error& error, std::string_view command, bool as_json, Terminal& terminal) {
  if (as_json) {
    terminal.out(json::serialize(json::object{{"schema", "picketctl/1"},
                                              {"command", command},
                                              {"error", {{"code", std::string(to_string(error.code))}, {"message", error.message}}}}) +
                 "\n");
  }
  terminal.err(cat("picketctl: ", runtime::printable(error.message), "\n"));
}

// Root's or ours, and nobody else may have written it.
bool is_trusted(const struct stat& info) { return (info.st_uid == 0 || info.st_uid == ::geteuid()) && (info.st_mode & 022) == 0; }

int carry_out(std::span<const std::string> arguments, Terminal& terminal, const core::CancelToken& cancel, std::int64_t now) {
  if (!arguments.empty() && arguments.front() == "__complete") {
    auto words = arguments.subspan(1);
    if (!words.empty() && words.front() == "--") words = words.subspan(1);
    terminal.out(complete(words));
    return static_cast<int>(Exit::ok);
  }
  auto parsed = parse_arguments(arguments);
  if (!parsed) {
    report(parsed.error(), "", false, terminal);
    return static_cast<int>(Exit::usage);
  }
  const auto& asked = *parsed;
  if (asked.help) {
    const auto text = asked.command != nullptr ? help_text(asked.command) : help_on(asked.arguments);
    if (text) terminal.out(*text);
    else report(text.error(), "", false, terminal);
    return static_cast<int>(text ? Exit::ok : Exit::usage);
  }
  if (asked.version) {
    terminal.out("picketctl " PICKET_VERSION "\n");
    return static_cast<int>(Exit::ok);
  }
  if (asked.has("no-color")) terminal.no_color();
  const bool as_json = asked.has("json");
  const auto given = [&](const char* name) { return asked.has(name) ? std::optional(asked.value(name)) : std::nullopt; };
  const auto socket = socket_path(given("socket"), given("config"));
  const auto limit = timeout(asked);
  if (!socket || !limit) {
    report(!socket ? socket.error() : limit.error(), asked.command->name, as_json, terminal);
    return static_cast<int>(Exit::usage);
  }
  Session session(*socket, *limit, cancel);
  if (asked.has("timeout")) session.limit_long_work();
  Context context(asked, terminal, session, now, cancel);
  const auto done = asked.command->run(context);
  if (!done && context.is_wrong_usage()) {
    report(done.error(), asked.command->name, false, terminal);
    return static_cast<int>(Exit::usage);
  }
  if (!done) {
    report(done.error(), asked.command->name, as_json, terminal);
    return static_cast<int>(exit_of(done.error(), &session));
  }
  return static_cast<int>(*done);
}

}  // namespace

std::filesystem::path newer_picketctl(std::span<const std::string> arguments) {
  // Before anything is understood: the command may be one that only the other one knows.
  const auto given = [&](std::string_view name) -> std::optional<std::string> {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (arguments[i] == name && i + 1 < arguments.size()) return arguments[i + 1];
      if (arguments[i].starts_with(cat(name, "="))) return arguments[i].substr(name.size() + 1);
    }
    return std::nullopt;
  };
  const auto socket = socket_path(given("--socket"), given("--config"));
  if (!socket) return {};
  // picketd leaves it beside its socket. Who may not reach where it leads, which is root's, uses this one.
  const auto link = socket->parent_path() / "picketctl";
  struct stat folder {}, itself {}, program {};
  if (::stat(socket->parent_path().c_str(), &folder) != 0 || ::lstat(link.c_str(), &itself) != 0 || ::stat(link.c_str(), &program) != 0) return {};
  const bool is_link = S_ISLNK(itself.st_mode) && (itself.st_uid == 0 || itself.st_uid == ::geteuid());
  if (!is_trusted(folder) || !is_link || !S_ISREG(program.st_mode) || !is_trusted(program) || ::access(link.c_str(), X_OK) != 0) return {};
  return link;
}

void Context::print_json(json::value data) {
  const json::object document{{"schema", "picketctl/1"}, {"command", invocation.command->name}, {"data", std::move(data)}};
  terminal.out(json::serialize(document) + "\n");
}

bool Context::printed_as_json(const google::protobuf::Message& answer) {
  if (is_json()) print_json(to_json(answer));
  return is_json();
}

int run(std::span<const std::string> arguments, Terminal& terminal, const core::CancelToken& cancel, std::int64_t now) {
  const int status = carry_out(arguments, terminal, cancel, now);
  if (!terminal.failed()) return status;
  if (!terminal.is_closed()) terminal.err("picketctl: cannot write the output\n");  // who closed a pipe knows
  return status != 0 ? status : static_cast<int>(Exit::failed);
}

Result<Exit> help(Context& context) {
  const auto text = help_on(context.arguments());
  if (!text) {
    report(text.error(), "", false, context.terminal);
    return Exit::usage;
  }
  context.terminal.out(*text);
  return Exit::ok;
}

Result<Exit> version(Context& context) {
  const auto host = context.session.ask<host::v1::HostStatusReply>("picket.host.status", host::v1::HostStatusRequest());
  if (context.is_json()) {
    context.print_json(json::object{{"picketctl", PICKET_VERSION}, {"picketd", host ? json::value(host->version()) : json::value(nullptr)}});
  } else {
    context.terminal.out(cat("picketctl ", PICKET_VERSION, "\n", host ? cat("picketd ", runtime::printable(host->version()), "\n") : std::string()));
  }
  return Exit::ok;  // that picketd is not there is no failure of this command
}

}  // namespace picket::ctl
