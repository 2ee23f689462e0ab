// One word for the whole device, and why: what a list of ten thousand computers shows.
#pragma once

#include <string>
#include <vector>

#include "plugin_host/plugin_host.hpp"
#include "policy/policy.hpp"
#include "update/update.hpp"

namespace picket::app {

struct DeviceStatus {
  std::string level = "OK";  // OK, Warning, Critical
  std::vector<std::string> reasons;
};

// What a plugin said of the device as a whole.
struct Concern {
  std::string plugin, level, text;
};

[[nodiscard]] DeviceStatus device_status(const std::vector<plugin_host::Status>& plugins, const std::vector<update::Engine::Problem>& updates,
                                         const policy::Shown& policy, const std::vector<std::string>& tasks = {}, const std::vector<Concern>& concerns = {});

}  // namespace picket::app
