// An administrator's policy takes topics away that a manifest asks for; it never adds any.
#pragma once

#include "package/manifest.hpp"
#include "plugin_host/plugin_host.hpp"

namespace picket::plugin_host {

[[nodiscard]] package::Manifest narrowed(package::Manifest manifest, const TopicLimits& limits);

}  // namespace picket::plugin_host
