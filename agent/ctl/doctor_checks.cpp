#include "ctl/doctor_checks.hpp"

#include <algorithm>
#include <filesystem>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "base/files.hpp"
#include "base/listed.hpp"
#include "base/progress.hpp"
#include "base/result.hpp"
#include "ctl/humane.hpp"

namespace picket::ctl {
namespace {

namespace fs = std::filesystem;

// Room for a set of databases, its download and the one before it.
constexpr std::uint64_t little_space = 512u << 20, no_space = 64u << 20;
constexpr std::uint64_t most_root_bytes = 512u << 10;
constexpr std::int64_t first_release_of_picket = 1735689600;  // 2025-01-01: an earlier clock is wrong

void add(Checks& checks, const char* name, const char* result, std::string text) { checks.push_back({name, result, std::move(text)}); }

std::string config_value(const host::v1::HostConfigReply& config, std::string_view name) {
  for (const auto& value : config.values())
    if (value.name() == name) return value.value();
  return {};
}

// Whether it is meant to be one: whether it can be trusted is for the agent to say.
bool is_root(std::string_view text) {
  std::error_code error;
  const auto parsed = boost::json::parse(text, error);
  const auto* object = error ? nullptr : parsed.if_object();
  const auto* part = object != nullptr ? object->if_contains("signed") : nullptr;
  const auto* type = part != nullptr && part->is_object() ? part->get_object().if_contains("_type") : nullptr;
  return type != nullptr && type->is_string() && type->get_string() == "root";
}

void check_key_folder(Checks& checks, const char* name, const std::string& folder, const char* without) {
  std::error_code error;
  unsigned keys = 0;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().native().ends_with(".pub.json")) ++keys;
  if (error == std::errc::permission_denied) return add(checks, name, "warn", cat(folder, ": not readable for this user, so not checked"));
  if (keys > 0) return add(checks, name, "ok", cat(std::to_string(keys), keys == 1 ? " key in " : " keys in ", folder));
  add(checks, name, "warn", error ? cat(folder, ": ", error.message(), "; ", without) : cat("no *.pub.json in ", folder, "; ", without));
}

}  // namespace

void check_host(Checks& checks, const host::v1::HostStatusReply& host, std::int64_t now) {
  if (now < first_release_of_picket) add(checks, "clock", "fail", cat("this computer's clock says ", date(now), ": signed content looks not yet valid"));
  else if (host.started() > now + 300) add(checks, "clock", "warn", cat("picketd started at ", date(host.started()), ", which is later than now: the clock was put back"));
  else add(checks, "clock", "ok", date(now));

  const auto reasons = listed(host.reasons(), "; ");
  add(checks, "device status", host.device_status() == "OK" ? "ok" : host.device_status() == "Critical" ? "fail" : "warn",
      cat(host.device_status(), reasons.empty() ? "" : ": ", reasons));
}

void check_data_dir(Checks& checks, const std::string& data_dir) {
  std::error_code error;
  const auto status = fs::status(data_dir, error);
  if (error && error == std::errc::permission_denied) return add(checks, "data folder", "warn", cat(data_dir, ": not readable for this user, so not checked"));
  if (!fs::is_directory(status)) return add(checks, "data folder", "fail", cat(data_dir, ": ", error ? error.message() : std::string("not a folder")));
  if ((status.permissions() & fs::perms::others_write) != fs::perms::none) add(checks, "data folder", "fail", cat(data_dir, ": every user may write there"));
  else add(checks, "data folder", "ok", data_dir);

  const auto space = fs::space(data_dir, error);
  if (error) return add(checks, "disk space", "warn", cat(data_dir, ": ", error.message()));
  add(checks, "disk space", space.available < no_space ? "fail" : space.available < little_space ? "warn" : "ok", cat(human_bytes(space.available), " free"));
}

void check_keys(Checks& checks, const host::v1::HostConfigReply& config, bool is_updated) {
  check_key_folder(checks, "plugin keys", config_value(config, "plugin-keys"), "every plugin is refused");
  check_key_folder(checks, "policy keys", config_value(config, "policy-keys"), "every policy is refused");
  const auto root = config_value(config, "update-root");
  std::error_code error;
  if (!fs::exists(root, error))
    return add(checks, "update root", error == std::errc::permission_denied || !is_updated ? "warn" : "fail", cat(root, ": ", error ? error.message() : std::string("no such file"), "; no update can be trusted"));
  const auto text = read_file(root, most_root_bytes);
  if (!text) add(checks, "update root", text.error().code == Code::denied ? "warn" : "fail", text.error().message);
  else if (!is_root(*text)) add(checks, "update root", "fail", cat(root, ": this is no TUF root metadata; no update can be trusted"));
  else add(checks, "update root", "ok", root);
}

void check_plugins(Checks& checks, const host::v1::PluginListReply& plugins) {
  unsigned fine = 0;
  for (const auto& plugin : plugins.plugins()) {
    const auto& state = plugin.state();
    const bool failed = state == "failed" || state == "refused";
    const bool limps = state == "backing-off" || plugin.health() == "failed" || plugin.health() == "degraded";
    if (failed || limps) add(checks, "plugin", failed ? "fail" : "warn", cat(plugin.id(), " is ", limps && !failed && state == "running" ? plugin.health() : state, plugin.text().empty() ? "" : ": ", plugin.text()));
    else if (plugin.observed_revision() != plugin.settings_revision() && state == "running") add(checks, "plugin", "warn", cat(plugin.id(), " has not taken its newest settings"));
    else ++fine;
  }
  if (plugins.plugins().empty()) add(checks, "plugins", "warn", "no plugins are installed");
  else add(checks, "plugins", "ok", cat(std::to_string(fine), " of ", std::to_string(plugins.plugins().size()), " without problems"));
}

namespace {

bool is_usable(const update::v1::SourceStatus& source) { return source.state() == "ok" || source.state() == "untried"; }

// As the agent judges it: old are only databases, and what need not be here, or was declined, is missed by nobody.
const char* result_of(const update::v1::ComponentStatus& component) {
  const auto& freshness = component.freshness();
  const bool databases = component.class_() == "databases" || component.class_().empty();
  if (component.release() == 0) {
    if (component.approval() == "declined" && component.class_() != "databases") return "ok";
    if (component.optional()) return component.offered() == 0 ? "ok" : "warn";
    return databases ? "fail" : "warn";
  }
  return freshness == "ok" || !databases ? "ok" : freshness == "critical" ? "fail" : "warn";
}

void check_source(Checks& checks, const update::v1::SourceStatus& source, const host::v1::PluginListReply* plugins) {
  const auto shown = cat(source.name(), " (", source.location(), ")");
  const auto runs = [&](const auto& plugin) { return plugin.id() == source.plugin() && plugin.state() == "running"; };
  if (is_usable(source) && plugins != nullptr && std::none_of(plugins->plugins().begin(), plugins->plugins().end(), runs))
    return add(checks, "source", "warn", cat(shown, ": no running plugin answers for ", source.plugin()));
  add(checks, "source", is_usable(source) || source.state() == "disabled" ? "ok" : "warn",
      cat(shown, " is ", source.state() == "trial" ? "on trial" : source.state(), source.text().empty() ? "" : ": ", source.text()));
}

}  // namespace

bool has_updates(const update::v1::StatusReply& updates) { return !updates.components().empty() || !updates.sources().empty(); }

void check_updates(Checks& checks, const update::v1::StatusReply& updates, const host::v1::PluginListReply* plugins, std::int64_t now) {
  for (const auto& component : updates.components()) {
    const auto shown = component.release() == 0 ? cat(component.component(), ": nothing is installed yet") : cat(component.component(), " release ", std::to_string(component.release()), ", published ", ago(component.published(), now));
    add(checks, "component", result_of(component), cat(shown, component.text().empty() ? "" : ": ", component.text()));
    if (component.published() > now + 300) add(checks, "clock", "warn", cat(component.component(), " was published at ", date(component.published()), ", which is later than now: is the clock right?"));
  }
  if (!has_updates(updates)) add(checks, "sources", "warn", "no update source is configured, and no plugin here demands databases");
  else if (updates.sources().empty()) add(checks, "sources", "fail", "no update source is configured");
  unsigned reachable = 0;
  for (const auto& source : updates.sources()) {
    reachable += is_usable(source) ? 1 : 0;
    check_source(checks, source, plugins);
  }
  if (!updates.sources().empty() && reachable == 0) add(checks, "sources", "fail", "no source can be reached");
  if (updates.has_last()) {
    const auto& result = updates.last().result();
    add(checks, "last update", result == "failed" ? "fail" : result == "partial" ? "warn" : "ok", cat(result, " ", ago(updates.last().finished(), now), updates.last().text().empty() ? "" : ": ", updates.last().text()));
  }
}

void check_policy(Checks& checks, const policy::v1::ShowReply& policy, std::int64_t now) {
  std::string_view rest = policy.text();
  bool fine = true;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    add(checks, "policy", "warn", std::string(line));
    fine = false;
  }
  if (fine) add(checks, "policy", "ok", policy.revision() == 0 ? std::string("none in force") : cat("revision ", std::to_string(policy.revision()), ", expires ", ago(policy.expires(), now)));
}

}  // namespace picket::ctl
