#include "app/device_status.hpp"

#include <algorithm>
#include <utility>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace picket::app {
namespace {

constexpr std::size_t kMostOfUpdates = 50;               // a thousand components in trouble are one trouble
constexpr std::size_t kMost = 60'000, kLongest = 1000;   // bytes of all reasons and of one: they go into one message, with all else that is said of the host

}  // namespace

DeviceStatus device_status(const std::vector<plugin_host::Status>& plugins, const std::vector<update::Engine::Problem>& updates,
                           const policy::Shown& policy, const std::vector<std::string>& tasks, const std::vector<Concern>& concerns) {
  DeviceStatus out;
  std::size_t bytes = 0, unnamed = 0;
  auto warn = [&](std::string_view reason) {
    if (out.level == "OK") out.level = "Warning";
    auto shown = shortened(reason, kLongest);
    bytes += shown.size();
    if (bytes > kMost) ++unnamed;
    else out.reasons.push_back(std::move(shown));
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
    // Whoever installed it believes that it runs.
    if (!plugin.passed_over.empty()) warn(cat("plugin ", plugin.id, " runs as version ", plugin.version, ": ", plugin.passed_over));
  }
  for (const auto& concern : concerns) {
    const bool runs = std::any_of(plugins.begin(), plugins.end(), [&](const auto& plugin) { return plugin.id == concern.plugin && plugin.state == State::running; });
    if (!runs || (concern.level != "Warning" && concern.level != "Critical")) continue;
    if (concern.level == "Critical") out.level = "Critical";
    warn(cat(concern.plugin, ": ", concern.text));
  }
  for (const auto& task : tasks) warn(task);
  for (const auto& problem : policy.problems) warn(cat("policy: ", problem));
  if (unnamed > 0) out.reasons.push_back(cat("and ", std::to_string(unnamed), " more"));
  return out;
}

}  // namespace picket::app
