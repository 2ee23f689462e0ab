// picketd's own few settings: the same names in picketd.conf and on the command line; the command line wins.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace picket::app {

struct ConfigValue {
  std::string name, value, from;  // from: default, file, command line
};

struct Config {
  std::filesystem::path config_file, data_dir, run_dir, child_program, plugin_keys, policy_keys, update_root, settings_dir, log_file;
  std::vector<std::filesystem::path> plugin_dirs;
  std::vector<std::string> in_process, stand_in, disabled, groups, plugin_components;
  std::string agent_component, tenant, device, log_level, log_format, socket_group;
  unsigned policy_threshold = 1;
  std::vector<ConfigValue> values;  // as `picketctl config show` prints them

  [[nodiscard]] std::filesystem::path socket() const { return run_dir / "picketd.sock"; }
};

struct CommandLine {
  Config config;
  std::string text;  // not empty: print it and leave (--help, --version)
};

// An Error says which option, where, and what is wrong. Only the file that nobody named may be absent; one that is there and cannot be read
// is an error too: running without what it says would be running as another device.
[[nodiscard]] Result<CommandLine> read_config(int argc, const char* const* argv, const std::string& usual_file = "/etc/picket/picketd.conf");

}  // namespace picket::app
