// What may follow on the command line. Ids come from picketd itself, if it answers quickly.
#include <algorithm>
#include <set>

#include "base/bytes.hpp"
#include "bash_script.hpp"
#include "ctl/command.hpp"
#include "ctl/pages.hpp"
#include "picket/host/v1/host.pb.h"
#include "picket/policy/v1/policy.pb.h"
#include "picket/task/v1/control.pb.h"
#include "picket/update/v1/report.pb.h"

namespace picket::ctl {
namespace {

constexpr std::chrono::milliseconds patience{500};

// One that a shell need not quote.
bool is_plain(std::string_view id) {
  return !id.empty() && id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == id.npos;
}

std::set<std::string> ids(Completes what, const std::filesystem::path& socket) {
  Session session(socket, patience, {});
  std::set<std::string> out;
  if (what == Completes::plugins) {
    if (const auto reply = session.ask<host::v1::PluginListReply>("picket.plugin.list", host::v1::PluginListRequest()))
      for (const auto& plugin : reply->plugins()) out.insert(plugin.id());
  } else if (what == Completes::tasks) {
    if (const auto reply = ask_tasks(session))
      for (const auto& task : reply->tasks()) out.insert(task.id());
  } else {
    if (const auto reply = ask_updates(session, "picket.component.list"))
      for (const auto& component : reply->components()) out.insert(component.component());
  }
  std::erase_if(out, [](const auto& id) { return !is_plain(id); });
  return out;
}

std::set<std::string> settings_of(const std::string& plugin, const std::filesystem::path& socket) {
  Session session(socket, patience, {});
  policy::v1::ExplainRequest request;
  request.set_plugin(plugin);
  std::set<std::string> out;
  if (const auto reply = session.ask<policy::v1::ExplainReply>("picket.policy.explain", request))
    for (const auto& setting : reply->settings()) out.insert(setting.setting());
  std::erase_if(out, [](const auto& name) { return !is_plain(name); });
  return out;
}

std::string joined(const std::vector<std::string>& words, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += cat(i == 0 ? "" : " ", words[i]);
  return out;
}

const Command* command_of(const std::vector<std::string>& typed) {
  for (std::size_t length : {3U, 2U, 1U}) {
    if (typed.size() < length) continue;
    const auto name = joined(typed, length);
    for (const auto& command : commands())
      if (name == command.name) return &command;
  }
  return nullptr;
}

// The word at this place of the commands that begin with `typed`.
std::set<std::string> command_words(const std::vector<std::string>& typed) {
  const auto prefix = typed.empty() ? std::string() : cat(joined(typed, typed.size()), " ");
  std::set<std::string> out;
  for (const auto& command : commands()) {
    const std::string_view name = command.name;
    if (!name.starts_with(prefix)) continue;
    const auto rest = name.substr(prefix.size());
    out.emplace(rest.substr(0, rest.find(' ')));
  }
  return out;
}

const OptionSpec* option_of(const Command* command, std::string_view word) {
  const auto is = [word](const auto& spec) { return word == cat("--", spec.name); };
  for (const auto& list : {global_options(), command == nullptr ? std::span<const OptionSpec>() : command->options})
    if (const auto found = std::ranges::find_if(list, is); found != list.end()) return &*found;
  return nullptr;
}

std::string lines(const std::set<std::string>& candidates, std::string_view typed) {
  std::string out;
  for (const auto& candidate : candidates)
    if (candidate.starts_with(typed)) out += cat(candidate, "\n");
  return out;
}

}  // namespace

std::string complete(std::span<const std::string> words) {
  if (words.empty()) return {};
  const std::string& current = words.back();
  std::vector<std::string> typed;
  std::optional<std::string> socket_given, config_given;
  std::string waiting;  // an option that still needs its value
  for (const auto& word : words.first(words.size() - 1)) {
    if (!waiting.empty()) {
      if (word == "=") continue;  // bash gives "--config=x" as three words
      if (waiting == "--socket") socket_given = word;
      if (waiting == "--config") config_given = word;
      waiting.clear();
    } else if (word.starts_with("-")) {
      const auto* option = option_of(command_of(typed), word);
      if (option != nullptr && option->value_name != nullptr) waiting = word;
    } else {
      typed.push_back(word);
    }
  }
  if (waiting == "--socket" || waiting == "--config") return "<files>\n";
  if (!waiting.empty()) return {};

  const auto socket = socket_path(socket_given, config_given);
  if (!socket) return {};
  const auto* command = command_of(typed);
  if (current.starts_with("-")) {
    std::set<std::string> out{"--help"};
    for (const auto& option : global_options()) out.insert(cat("--", option.name));
    if (command != nullptr)
      for (const auto& option : command->options) out.insert(cat("--", option.name));
    return lines(out, current);
  }
  if (command == nullptr) return lines(command_words(typed), current);
  const auto words_of_name = static_cast<std::size_t>(std::ranges::count(std::string_view(command->name), ' ')) + 1;
  const auto arguments = typed.size() - words_of_name;
  switch (command->completes) {
    case Completes::nothing: return {};
    case Completes::files: return "<files>\n";
    case Completes::shells: return lines({"bash"}, current);
    case Completes::commands: return lines(command_words({typed.begin() + 1, typed.end()}), current);
    case Completes::plugin_settings:
      if (arguments == 0) return lines(ids(Completes::plugins, *socket), current);
      return arguments == 1 ? lines(settings_of(typed.back(), *socket), current) : std::string();
    case Completes::tasks:
    case Completes::plugins:
    case Completes::components: return arguments < command->most ? lines(ids(command->completes, *socket), current) : std::string();
  }
  return {};
}

Result<Exit> completion(Context& context) {
  if (const auto& shell = context.arguments().front(); shell != "bash")
    return context.wrong_usage(cat("there is no completion for '", shell.substr(0, 64), "', only for bash"));
  context.terminal.out(bash_script);
  return Exit::ok;
}

}  // namespace picket::ctl
