#include "app/device_status.hpp"

#include <algorithm>

#include "base/result.hpp"

namespace picket::app {
namespace {

constexpr std::size_t kMostOfUpdates = 50;   // a thousand components in trouble are one trouble, and one message

}  // namespace

DeviceStatus device_status(const std::vector<plugin_host::Status>& plugins, const std::vector<update::Engine::Problem>& updates,
                           const policy::Shown& policy, const std::vector<std::string>& tasks, const std::vector<Concern>& concerns) {
  DeviceStatus out;
  auto warn = [&](std::string reason) {
    if (out.level == "OK") out.level = "Warning";
    out.reasons.push_back(std::move(reason));
  };
  auto problems = updates;
  if (problems.size() > kMostOfUpdates) std::stable_partition(problems.begin(), problems.end(), [](const auto& problem) { return problem.critical; });
  for (std::size_t i = 0; i < problems.size() && i < kMostOfUpdates; ++i) {
    if (problems[i].critical) out.level = "Critical";
    warn(problems[i].text);
  }
  if (problems.size() > kMostOfUpdates) warn(cat("and ", std::to_string(problems.size() - kMostOfUpdates), " more of the updates: see picketctl update status"));
  using plugin_host::State;
  for (const auto& plugin : plugins) {
    const bool down = plugin.state == State::failed || plugin.state == State::refused || plugin.state == State::backing_off;
    const bool unwell = plugin.state == State::running && (plugin.health == plugin_host::Health::failed || plugin.health == plugin_host::Health::degraded);
    if (down || unwell)
      warn(cat("plugin ", plugin.id, " is ", down ? to_string(plugin.state) : to_string(plugin.health), plugin.text.empty() ? "" : ": ", plugin.text));
  }
  for (const auto& concern : concerns) {
    const bool runs = std::any_of(plugins.begin(), plugins.end(), [&](const auto& plugin) { return plugin.id == concern.plugin && plugin.state == State::running; });
    if (!runs || (concern.level != "Warning" && concern.level != "Critical")) continue;
    if (concern.level == "Critical") out.level = "Critical";
    warn(cat(concern.plugin, ": ", concern.text));
  }
  for (const auto& task : tasks) warn(task);
  for (const auto& problem : policy.problems) warn(cat("policy: ", problem));
  return out;
}

}  // namespace picket::app
