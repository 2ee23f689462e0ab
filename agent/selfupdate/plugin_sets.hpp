// A set of plugin packages comes into force: all new versions take over and stay well in their places, or all goes back.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "plugin_host/plugin_host.hpp"
#include "selfupdate/choices.hpp"

namespace picket::selfupdate {

// The packages in a set's folder, by their names. Code::invalid: it holds something else.
[[nodiscard]] Result<std::vector<plugin_host::Place>> packages_in(const std::filesystem::path& set);

class PluginSets {
 public:
  // Hands a plugin that has started and stands by the sets that it demands: at once, any thread.
  using Prime = plugin_host::PluginHost::OnBeside;
  // Waits until it has loaded them. An error refuses it.
  using Primed = std::function<Result<>(const std::string& plugin)>;
  using Log = std::function<void(bool warning, std::string_view text)>;
  PluginSets(plugin_host::PluginHost& host, Choices choices, Prime prime, Primed primed, Log log);

  // What is loaded at the start of the plugin host.
  void tell_host() const { host_.choose(choices_.all()); }
  // Blocks, but begins nothing after `until`, when the asker has gone another way. An empty path: nothing of this component any more, the installed versions come back. The text says what was done; after an
  // error all runs as before.
  [[nodiscard]] Result<std::string> activate(const std::string& component, const std::filesystem::path& set, std::chrono::steady_clock::time_point until);
  void stop();  // any thread: ends what activate() waits for

 private:
  struct Started;
  [[nodiscard]] Result<> start_all(const std::vector<plugin_host::Place>& places, std::chrono::steady_clock::time_point until, std::vector<Started>& started);
  [[nodiscard]] Result<> take_over_all(std::vector<Started>& started);
  [[nodiscard]] Result<> watch(const std::vector<Started>& started, std::chrono::steady_clock::time_point until);
  void go_back(const std::vector<Started>& started, const std::vector<plugin_host::Place>& before);

  plugin_host::PluginHost& host_;
  Choices choices_;
  Prime prime_;
  Primed primed_;
  Log log_;
  std::atomic<bool> is_stopping_{false};
};

}  // namespace picket::selfupdate
