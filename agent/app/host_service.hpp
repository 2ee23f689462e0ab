// Answers what picketctl asks of the host itself: picket.host.*, picket.plugin.*, picket.bus.topics; keeps picket.plugin.state.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "app/answering.hpp"
#include "app/config.hpp"
#include "app/device_status.hpp"
#include "plugin_host/plugin_host.hpp"
#include "runtime/worker.hpp"
#include "selfupdate/selfupdate.hpp"

namespace picket::app {

class HostService : public Answering {
 public:
  struct Parts {
    const Config& config;
    bus::Router& router;
    const core::Clock& clock;
    runtime::Worker& worker;
    std::function<plugin_host::PluginHost*()> plugins;  // null until made
    std::function<DeviceStatus()> device_status;
    std::function<selfupdate::SelfUpdate::Shown()> self;
  };
  explicit HostService(Parts parts);
  HostService(const HostService&) = delete;
  HostService& operator=(const HostService&) = delete;
  ~HostService() override { detach(); }
  [[nodiscard]] Result<> start();
  void plugin_changed(const plugin_host::Status& status);  // any-thread
  [[nodiscard]] std::vector<Concern> concerns() const;     // any-thread: what plugins say of the device as a whole

 private:
  void on_message(const bus::MessagePtr& message) override;
  [[nodiscard]] std::ptrdiff_t concerns_of(const std::string& sender) const;  // under mutex_

  Parts parts_;
  const std::int64_t started_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Concern> concerns_;  // by plugin and key
};

}  // namespace picket::app
