// Answers picket.policy.* and joins the policy part with those who take settings: the plugins, the update engine and the tasks.
#pragma once

#include <functional>

#include "app/answering.hpp"
#include "plugin_host/plugin_host.hpp"
#include "policy/policy.hpp"
#include "runtime/log.hpp"
#include "runtime/worker.hpp"
#include "tasks/tasks.hpp"
#include "update/update.hpp"

namespace picket::app {

inline constexpr std::string_view kUpdateId = "org.picket.update";
inline constexpr std::string_view kTasksId = "org.picket.tasks";

[[nodiscard]] plugin_host::TopicLimits limits_of(policy::Topics topics);

class PolicyService : public Answering, public policy::Consumers {
 public:
  struct Parts {
    bus::Router& router;
    runtime::Worker& worker;
    policy::Policy& policy;
    std::function<plugin_host::PluginHost*()> plugins;
    std::function<update::Engine*()> updates;
    std::function<tasks::Tasks*()> tasks;
    runtime::LogPart log;
  };
  explicit PolicyService(Parts parts);
  PolicyService(const PolicyService&) = delete;
  PolicyService& operator=(const PolicyService&) = delete;
  ~PolicyService() override { detach(); }
  [[nodiscard]] Result<> start();
  void reload_local();  // any-thread: the administrator changed local settings (SIGHUP)

  [[nodiscard]] std::vector<policy::Schema> schemas() override;
  [[nodiscard]] Result<> check(const std::string& id, const policy::Topics& topics) override;
  [[nodiscard]] policy::Outcome apply(const std::string& id, const policy::Effective& settings) override;

 private:
  [[nodiscard]] Result<std::string> schema_of(const std::string& id);

  Parts parts_;
};

}  // namespace picket::app
