// What a command of picketctl is. The table of all is in commands.cpp; help, parsing and completion come from it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "base/result.hpp"
#include "core/cancel.hpp"
#include "ctl/session.hpp"
#include "ctl/terminal.hpp"

namespace picket::ctl {

namespace json = boost::json;

// The exit codes; JSON.md documents them.
enum class Exit : int { ok = 0, failed = 1, usage = 2, unreachable = 3, found = 4, partial = 5, interrupted = 130 };

enum class Completes { nothing, plugins, plugin_settings, components, tasks, files, commands, shells };  // plugin_settings: a plugin, then one of its settings

struct OptionSpec {
  const char* name;        // without dashes
  const char* value_name;  // nullptr: a flag
  const char* help;
};

class Context;

struct Command {
  const char* name;        // "plugin list"
  const char* arguments;   // "ID", "[COMPONENT...]"
  unsigned least, most;    // how many arguments
  const char* summary;
  const char* example;
  std::span<const OptionSpec> options;
  Completes completes;
  Result<Exit> (*run)(Context&);
};

[[nodiscard]] std::span<const Command> commands();
[[nodiscard]] std::span<const OptionSpec> global_options();

// What the command line asked for.
struct Invocation {
  const Command* command = nullptr;
  std::vector<std::string> arguments;
  std::map<std::string, std::string, std::less<>> options;  // flags have an empty value
  bool help = false, version = false;

  [[nodiscard]] bool has(std::string_view option) const { return options.contains(option); }
  [[nodiscard]] std::string value(std::string_view option) const;
};
// Code::invalid: one line that says what is wrong and where help is.
[[nodiscard]] Result<Invocation> parse_arguments(std::span<const std::string> arguments);
[[nodiscard]] std::string help_text(const Command* command);  // nullptr: of the whole program
[[nodiscard]] Result<std::string> help_on(std::span<const std::string> words);  // of a command, of a group of them, or of the whole program
// The nearest of the names when it is near enough to be meant, else empty.
[[nodiscard]] std::string nearest(std::string_view typed, std::span<const std::string> names);

// What a command works with.
class Context {
 public:
  Context(const Invocation& asked, Terminal& terminal_, Session& session_, std::int64_t now_, core::CancelToken cancel_)
      : invocation(asked), terminal(terminal_), session(session_), now(now_), cancel(std::move(cancel_)) {}

  const Invocation& invocation;
  Terminal& terminal;
  Session& session;
  const std::int64_t now;  // Unix seconds
  const core::CancelToken cancel;

  [[nodiscard]] const std::vector<std::string>& arguments() const { return invocation.arguments; }
  [[nodiscard]] bool is_json() const { return invocation.has("json"); }
  // {"schema":"picketctl/1","command":...,"data":...}
  void print_json(json::value data);
  // Where JSON was asked for, the answer is printed so, and that is all.
  [[nodiscard]] bool printed_as_json(const google::protobuf::Message& answer);
  // What is wrong lies in the command line, after all: exit code 2.
  [[nodiscard]] tl::unexpected<Error> wrong_usage(std::string_view what);
  [[nodiscard]] bool is_wrong_usage() const { return is_wrong_usage_; }
  // A count given as option; wrong_usage() names it.
  [[nodiscard]] Result<std::uint64_t> number(std::string_view option, std::uint64_t otherwise, std::uint64_t most, std::uint64_t least = 0);

 private:
  bool is_wrong_usage_ = false;
};

// The commands, in the files named after them.
Result<Exit> status(Context&);
Result<Exit> plugin_list(Context&);
Result<Exit> plugin_info(Context&);
Result<Exit> plugin_restart(Context&);
Result<Exit> update_run(Context&);
Result<Exit> update_status(Context&);
Result<Exit> update_history(Context&);
Result<Exit> update_rollback(Context&);
Result<Exit> update_explain(Context&);
Result<Exit> update_what_is_sent(Context&);
Result<Exit> update_export(Context&);
Result<Exit> component_list(Context&);
Result<Exit> task_list(Context&);
Result<Exit> task_show(Context&);
Result<Exit> task_run(Context&);
Result<Exit> task_watch(Context&);
Result<Exit> task_cancel(Context&);
Result<Exit> task_history(Context&);
Result<Exit> policy_apply(Context&);
Result<Exit> policy_show(Context&);
Result<Exit> policy_explain(Context&);
Result<Exit> scan(Context&);
Result<Exit> ksn_status(Context&);
Result<Exit> ksn_check(Context&);
Result<Exit> ksn_software(Context&);
Result<Exit> ksn_last_sent(Context&);
Result<Exit> ksn_what_is_sent(Context&);
Result<Exit> ksn_connection(Context&);
Result<Exit> ksn_statement_show(Context&);
Result<Exit> ksn_statement_accept(Context&);
Result<Exit> ksn_statement_decline(Context&);
Result<Exit> ksn_enable(Context&);
Result<Exit> ksn_disable(Context&);
Result<Exit> ksn_proxy_status(Context&);
Result<Exit> ksn_service_status(Context&);
Result<Exit> point_status(Context&);
Result<Exit> bus_watch(Context&);
Result<Exit> bus_topics(Context&);
Result<Exit> config_show(Context&);
Result<Exit> doctor(Context&);
Result<Exit> help(Context&);
Result<Exit> version(Context&);
Result<Exit> completion(Context&);

// picketd's control socket: the one that was named, else in run-dir of picketd.conf. A file that is absent or not readable for this user means
// the default, unless it was named.
[[nodiscard]] Result<std::filesystem::path> socket_path(const std::optional<std::string>& socket, const std::optional<std::string>& config);

// What may follow the words (the last is being typed), one a line; "<files>": file names.
[[nodiscard]] std::string complete(std::span<const std::string> words);

}  // namespace picket::ctl
