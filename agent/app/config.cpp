#include "app/config.hpp"

#include <array>
#include <cerrno>
#include <map>
#include <sstream>

#include <boost/program_options.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.hpp"
#include "base/files.hpp"
#include "base/listed.hpp"
#include "runtime/log.hpp"

namespace picket::app {
namespace {

namespace po = boost::program_options;
using Paths = std::vector<std::string>;
constexpr std::uint64_t kMostConfig = 1u << 20;
constexpr const char* kStray = "stray word";  // no name of an option can be typed so
// A service's current folder is nobody's choice, so none of these depends on it; --config does, as it is typed.
constexpr std::array kPaths{"data-dir", "run-dir", "plugin-dir", "child-program", "plugin-keys", "policy-keys", "update-root", "settings-dir", "log-file"};

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

// picket-plugin-host lies beside picketd in a build folder, and in libexec when installed.
std::string default_child() {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  for (const auto& candidate : {self.parent_path() / "picket-plugin-host", self.parent_path() / "../libexec/picket/picket-plugin-host"})
    if (std::filesystem::exists(candidate, ignored)) return candidate.lexically_normal().native();
  return "/usr/libexec/picket/picket-plugin-host";
}

po::options_description settings() {
  po::options_description all("Settings (in picketd.conf: name = value)");
  auto one = [&](const char* name, std::string value, const char* help) {
    all.add_options()(name, po::value<std::string>()->default_value(value), help);
  };
  auto many = [&](const char* name, const char* help) { all.add_options()(name, po::value<Paths>()->composing(), help); };
  one("data-dir", "/var/lib/picket", "where state lives: databases, journal, policy, plugins' storage");
  one("run-dir", "/run/picket", "where the control socket picketd.sock lies");
  many("plugin-dir", "folder of plugin packages, <id>/<version>/; may be given again (default /usr/lib/picket/plugins)");
  one("child-program", default_child(), "the program that hosts an isolated plugin");
  one("plugin-keys", "/etc/picket/trust/plugins", "folder of public keys (*.pub.json) that may sign plugins");
  one("policy-keys", "/etc/picket/trust/policy", "folder of public keys (*.pub.json) that may sign policies");
  one("policy-threshold", "1", "how many of these keys must have signed a policy");
  one("update-root", "/etc/picket/trust/root.json", "the first trusted root.json of the update repository");
  one("settings-dir", "/etc/picket/settings", "local settings, one <plugin id>.json each");
  many("in-process", "id of a plugin that may run inside picketd; may be given again");
  many("stand-in", "id of a plugin that may say and answer what is kept for Picket's own; may be given again");
  many("disabled", "id of a plugin that is not started; may be given again");
  many("plugin-component", "component of the repository that carries plugins; may be given again (default under picket-launcher: picket-plugins); empty: none");
  one("agent-component", "picket-agent", "component of the repository that carries picketd itself, under picket-launcher; empty: none");
  one("tenant", "", "which tenant's policies are for this device");
  one("device", host_name(), "this device's name in policies");
  many("group", "a group that this device belongs to; may be given again");
  one("log-level", "info", "debug, info, warning, error or off; per part: info,policy=debug");
  one("log-format", "text", "text or json");
  one("log-file", "", "log to this file, rotated (default: journal under systemd, else standard error)");
  one("socket-group", "", "group whose members may use picketctl (default: root and picketd's own user)");
  return all;
}

std::string joined(const po::variable_value& value) {
  if (value.value().type() == typeid(std::string)) return value.as<std::string>();
  return listed(value.as<Paths>());
}

// Later stores do not override earlier ones in program_options: command line first, then file, then defaults.
Result<po::variables_map> parse(int argc, const char* const* argv, std::map<std::string, std::string>& from, const po::options_description& all,
                                const po::options_description& in_file) {
  po::variables_map map;
  std::string where = "command line";
  try {
    po::options_description with_stray;
    with_stray.add(all).add_options()(kStray, po::value<Paths>());
    const auto line = po::command_line_parser(argc, argv).options(with_stray).positional(po::positional_options_description().add(kStray, -1)).run();
    for (const auto& option : line.options) {
      if (option.string_key == kStray) return fail(Code::invalid, cat(where, ": unexpected argument '", option.value.front(), "'"));
      from[option.string_key] = where;
    }
    po::store(line, map);
    const bool named = map.count("config") != 0 && !map["config"].defaulted();
    const std::string file = map["config"].as<std::string>();
    where = file;
    const UniqueFd open(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!open && (named || errno != ENOENT)) return fail_errno(cat("open ", file));
    if (open) {
      auto text = read_all(open.get(), kMostConfig);
      if (!text) return fail(std::move(text).error(), file);
      std::istringstream stream(*text);
      const auto parsed = po::parse_config_file(stream, in_file);
      for (const auto& option : parsed.options) from.emplace(option.string_key, "file");
      po::store(parsed, map);
    }
    po::notify(map);
  } catch (const po::error& e) {
    return fail(Code::invalid, cat(where, ": ", e.what()));
  }
  return map;
}

// `where`: the file, or the command line.
Result<> check_path(const std::string& name, const std::string& value, const std::string& where) {
  if (name == "data-dir" && !is_valid_utf8(value)) return fail(Code::invalid, cat(where, ": data-dir: its name is not UTF-8: no plugin could be told where it keeps its own"));
  if (std::filesystem::path(value).is_absolute() || (value.empty() && name == "log-file")) return {};
  return fail(Code::invalid, cat(where, ": ", name, ": '", value, "' is no absolute path", value.find_first_of("\"'") == value.npos ? "" : " (quotes belong to the value)"));
}

}  // namespace

Result<CommandLine> read_config(int argc, const char* const* argv, const std::string& usual_file) {
  const auto in_file = settings();
  po::options_description general("General");
  general.add_options()("help,h", "print this and leave")("version", "print the version and leave")(
      "config,c", po::value<std::string>()->default_value(usual_file), "the file to read settings from");
  po::options_description all;
  all.add(general).add(in_file);

  std::map<std::string, std::string> from;
  PICKET_LET(map, parse(argc, argv, from, all, in_file));
  CommandLine out;
  if (map.count("help") != 0) {
    std::ostringstream help;
    help << "Usage: picketd [options]\nKeeps this computer's protection current; see picketctl for talking with it.\n\n" << all;
    out.text = help.str();
    return out;
  }
  if (map.count("version") != 0) {
    out.text = "picketd " PICKET_VERSION "\n";
    return out;
  }

  auto one = [&](const char* name) { return map[name].as<std::string>(); };
  auto many = [&](const char* name) { return map.count(name) != 0 ? map[name].as<Paths>() : Paths{}; };
  Config& config = out.config;
  config.config_file = one("config");
  config.data_dir = one("data-dir");
  config.run_dir = one("run-dir");
  for (const auto& folder : many("plugin-dir")) config.plugin_dirs.emplace_back(folder);
  if (config.plugin_dirs.empty()) config.plugin_dirs.emplace_back("/usr/lib/picket/plugins");
  config.child_program = one("child-program");
  config.plugin_keys = one("plugin-keys");
  config.policy_keys = one("policy-keys");
  config.update_root = one("update-root");
  config.settings_dir = one("settings-dir");
  config.in_process = many("in-process");
  config.stand_in = many("stand-in");
  config.disabled = many("disabled");
  config.plugin_components = many("plugin-component");
  config.agent_component = one("agent-component");
  config.tenant = one("tenant");
  config.device = one("device");
  config.groups = many("group");
  config.log_level = one("log-level");
  config.log_format = one("log-format");
  config.log_file = one("log-file");
  config.socket_group = one("socket-group");
  const auto where = [&](const std::string& name) {
    const auto found = from.find(name);
    return found == from.end() ? std::string("default") : found->second == "file" ? config.config_file.native() : found->second;
  };
  for (const char* name : kPaths) {
    const auto& value = map[name].value();
    for (const auto& path : value.type() == typeid(std::string) ? Paths{one(name)} : many(name)) PICKET_TRY(check_path(name, path, where(name)));
  }
  if (auto known = runtime::Log::check_levels(config.log_level); !known) return fail(std::move(known).error(), cat(where("log-level"), ": log-level"));
  const auto threshold = one("policy-threshold");
  if (threshold.empty() || threshold.size() > 2 || threshold.find_first_not_of("0123456789") != std::string::npos || std::stoul(threshold) == 0)
    return fail(Code::invalid, cat(where("policy-threshold"), ": policy-threshold: '", threshold, "' is not a number from 1 to 99"));
  config.policy_threshold = static_cast<unsigned>(std::stoul(threshold));
  if (config.log_format != "text" && config.log_format != "json")
    return fail(Code::invalid, cat(where("log-format"), ": log-format: '", config.log_format, "' is neither text nor json"));
  for (const auto& option : in_file.options()) {
    const auto& name = option->long_name();
    const bool given = map.count(name) != 0;
    config.values.push_back({name, given ? joined(map[name]) : name == "plugin-dir" ? "/usr/lib/picket/plugins" : "",
                             from.contains(name) ? from[name] : "default"});
  }
  return out;
}

}  // namespace picket::app
