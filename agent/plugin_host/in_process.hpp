// A plugin inside picketd: calls on its own strand, host calls straight to the bus.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <picket/plugin.h>

#include "package/manifest.hpp"
#include "plugin_host/instance.hpp"

namespace picket::plugin_host {

struct InProcessOptions {
  const picket_entry* entry;
  package::Manifest manifest;
  std::filesystem::path storage_dir;  // of this plugin
  Standing standing = Standing::stranger;
};

// Attaches its peer to the bus: Code::conflict when a topic is of another kind already, denied when it is not for one of its standing.
[[nodiscard]] Result<std::unique_ptr<Instance>> make_in_process(InProcessOptions options, PluginHost::Parts parts, std::shared_ptr<InstanceEvents> events);

[[nodiscard]] bus::PeerOptions peer_options(const package::Manifest& manifest, Standing standing);

}  // namespace picket::plugin_host
