// A plugin in a child: the process, the socket, and a peer on the bus that speaks for it.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "package/manifest.hpp"
#include "plugin_host/instance.hpp"

namespace picket::plugin_host {

struct IsolatedOptions {
  std::filesystem::path program;  // picket-plugin-host
  int library = -1;               // sealed; borrowed until make_isolated has returned
  package::Manifest manifest;
  std::filesystem::path storage_dir;  // of this plugin
  std::chrono::milliseconds ping_period{10'000};
  Standing standing = Standing::stranger;
  bool stands_by = false;             // beside an instance of the same plugin
};

// Starts the child and attaches its peer to the bus. Code::conflict when a topic is of another kind already, denied when it is not for one of its
// standing, Code::io when no process starts.
[[nodiscard]] Result<std::unique_ptr<Instance>> make_isolated(IsolatedOptions options, PluginHost::Parts parts, std::shared_ptr<InstanceEvents> events);

}  // namespace picket::plugin_host
