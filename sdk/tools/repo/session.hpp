// What the commands share: the options about where and when, passphrases, and how a failure is told.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "base/result.hpp"
#include "repo/key_store.hpp"
#include "repo/options.hpp"
#include "repo/workspace.hpp"

namespace picket::repo {

using Arguments = std::vector<std::string>;

struct Command {
  CommandText text;
  int (*run)(const CommandText& text, const Arguments& arguments);
};

// The commands, by topic: setup, content, roles, dsse.
[[nodiscard]] std::vector<Command> setup_commands();
[[nodiscard]] std::vector<Command> key_commands();
[[nodiscard]] std::vector<Command> content_commands();
[[nodiscard]] std::vector<Command> role_commands();
[[nodiscard]] std::vector<Command> report_commands();
[[nodiscard]] std::vector<Command> dsse_commands();
[[nodiscard]] std::vector<Command> export_commands();

// --repo and --now; --keys for commands that read keys.
void add_common(Options& options);
void add_keys(Options& options);

[[nodiscard]] std::filesystem::path repo_folder(const Options& options);
[[nodiscard]] Result<UnixTime> time_of(const Options& options);
[[nodiscard]] Result<Workspace> open_workspace(const Options& options, Workspace::Access access);
[[nodiscard]] Result<KeyStore> open_keys(const Options& options);
// The folder where new keys go: the first --keys, else keys/ of the publisher's folder.
[[nodiscard]] std::filesystem::path new_keys_folder(const Options& options);

// PICKET_KEY_PASSPHRASE, else a question on the terminal, else Code::denied.
[[nodiscard]] Result<std::string> ask_passphrase(std::string_view key_name);

// Prints "picket-repo NAME: message" for an error; the exit status.
int finish(const Options& options, const Result<>& result);
void print_json(const boost::json::value& value);

}  // namespace picket::repo
