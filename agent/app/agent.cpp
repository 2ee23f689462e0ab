#include "app/agent.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <boost/json/parse.hpp>

#include "app/control_socket.hpp"
#include "app/device_status.hpp"
#include "app/host_service.hpp"
#include "app/plugin_log.hpp"
#include "app/policy_service.hpp"
#include "app/unknown_names.hpp"
#include "app/watch_service.hpp"
#include "base/files.hpp"
#include "bus/bus.hpp"
#include "core/clock.hpp"
#include "plugin_host/plugin_host.hpp"
#include "policy/policy.hpp"
#include "runtime/executor.hpp"
#include "runtime/io_loop.hpp"
#include "runtime/log.hpp"
#include "runtime/timers.hpp"
#include "runtime/worker.hpp"
#include "selfupdate/selfupdate.hpp"
#include "storage/folder_lock.hpp"
#include "tasks/tasks.hpp"
#include "trust/dsse.hpp"
#include "update/update.hpp"

namespace picket::app {
namespace {

constexpr unsigned kThreads = 2;
constexpr std::chrono::milliseconds kPluginStartLimit{15'000};
constexpr std::chrono::milliseconds kStopLimit{5'000};

Result<std::vector<trust::PublicKey>> keys_in(const std::filesystem::path& folder, std::string_view of, const runtime::LogPart& log) {
  auto keys = trust::load_keys(folder);
  if (!keys && keys.error().code == Code::not_found) {
    log.warning("no ", of, " keys: ", folder.native(), " does not exist");
    return std::vector<trust::PublicKey>{};
  }
  return keys;
}

class RunningAgent final : public Agent {
 public:
  explicit RunningAgent(const Config& config) : config_(config), link_(launcher::Link::take()) {}
  ~RunningAgent() override { stop(); }

  Result<> start_all() {
    runtime::LogOptions log_options;
    log_options.levels = config_.log_level;
    log_options.json = config_.log_format == "json";
    log_options.file = config_.log_file;
    PICKET_LET(log, runtime::Log::open(std::move(log_options)));
    log_ = std::move(log);
    const auto say = log_->part("agent");
    say.info("picketd ", PICKET_VERSION, " starts, data in ", config_.data_dir.native());
    PICKET_TRY(make_folders(config_.data_dir, 0700));
    // Before anything there is read or written: what another picketd is in the middle of looks as if it had been interrupted.
    PICKET_LET(lock, storage::FolderLock::take(config_.data_dir));
    lock_.emplace(std::move(lock));
    PICKET_TRY(make_folders(config_.run_dir));

    executor_ = runtime::Executor::make(kThreads);
    timers_ = runtime::Timers::make();
    io_ = runtime::IoLoop::make("io");
    router_ = bus::Router::make(*executor_);
    worker_ = std::make_unique<runtime::Worker>("worker");

    PICKET_TRY(open_policy());
    PICKET_TRY(open_updates());
    PICKET_TRY(make_plugin_host());
    PICKET_TRY(open_self_update());
    PICKET_TRY(open_tasks());
    PICKET_TRY(start_services());
    plugins_->start(kPluginStartLimit);
    // Whoever asks from here on, a task at start or a person, finds the plugins that the answer needs.
    PICKET_TRY(start_tasks());
    PICKET_LET(control, ControlSocket::open(config_, *router_, *io_, log_->part("control")));
    control_ = std::move(control);
    lead_to_picketctl();
    warn_of_unknown_names();
    say.info("ready");
    self_update_->started();
    return {};
  }

  void reload() override {
    if (!policy_service_) return;
    policy_service_->reload_local();
    worker_->post([this] { warn_of_unknown_names(); });  // another file may have come
  }

  void stop() override {
    if (!log_ || stopped_) return;
    stopped_ = true;
    log_->part("agent").info("picketd stops");
    control_.reset();                // nobody asks any more,
    if (host_service_) host_service_->detach();  // no plugin either: it tells of what goes now
    if (worker_) worker_->stop();    // a policy being applied is finished first
    tasks_.reset();                  // cancels what runs: before those who do the work go
    if (self_update_) self_update_->stop();
    updates_.reset();                // cancels a run; what is in force stays
    if (plugins_) plugins_->stop();
    watch_service_.reset();
    policy_service_.reset();
    host_service_.reset();
    self_update_.reset();
    plugins_.reset();
    policy_.reset();
    if (executor_) executor_->stop(kStopLimit);
    timers_.reset();                 // a call into a plugin that hung until now may still set one
    router_.reset();
    io_.reset();
    executor_.reset();
  }

 private:
  std::vector<std::string> unknown() const {
    std::vector<std::string> ids{std::string(kUpdateId), std::string(kTasksId)};
    for (auto& plugin : plugins_->list()) ids.push_back(std::move(plugin.id));
    return unknown_names(config_, ids, log_->silent_parts());
  }

  // Of those that are new since the last time. While it starts, then on the worker.
  void warn_of_unknown_names() {
    auto now = unknown();
    for (const auto& line : now)
      if (std::find(warned_of_.begin(), warned_of_.end(), line) == warned_of_.end()) log_->part("agent").warning(line);
    warned_of_ = std::move(now);
  }

  // A slot's picketctl is of one version with its picketd: the installed one hands over to what this link leads to.
  void lead_to_picketctl() const {
    const auto link = config_.run_dir / "picketctl", program = slot_programs_ / "picketctl";
    std::error_code error;
    std::filesystem::remove(link, error);
    if (slot_programs_.empty() || !std::filesystem::exists(program, error)) return;
    std::filesystem::create_symlink(program, link, error);
    if (error) log_->part("agent").warning("picketctl stays that of the installed package: ", link.native(), ": ", error.message());
  }

  Result<> open_policy() {
    policy::Options options;
    options.keys = [this] { return keys_in(config_.policy_keys, "policy", log_->part("policy")); };
    if (auto readable = options.keys(); !readable) return fail(std::move(readable).error());
    options.state_dir = config_.data_dir / "policy";
    options.local_dir = config_.settings_dir;
    options.threshold = config_.policy_threshold;
    options.identity = {config_.tenant, config_.device, config_.groups};
    options.host_parts.emplace(kUpdateId, &update::Engine::check_settings);
    options.host_parts.emplace(kTasksId, &tasks::Tasks::check_settings);
    PICKET_LET(policy, policy::Policy::open(std::move(options), clock_));
    policy_ = std::move(policy);
    for (const auto& problem : policy_->shown().problems) log_->part("policy").warning(problem);
    return {};
  }

  // What is left out of them stands in the log, whoever they are for.
  Result<policy::Effective> settings_of(const std::string& id, const std::string& schema) const {
    PICKET_LET(settings, policy_->effective(id, schema));
    for (const auto& warning : settings.warnings) log_->part("policy").warning(warning);
    return std::move(settings);
  }

  Result<> open_updates() {
    update::Options options;
    options.data_dir = config_.data_dir / "update";
    options.root_file = config_.update_root;
    options.agent_version = PICKET_VERSION;
    options.own_component = config_.agent_component;
    auto engine = update::Engine::open(std::move(options), {.router = *router_, .clock = clock_, .demands = [this] { return demands(); },
                                                            .warn = [log = log_->part("update")](std::string_view text) { log.warning(text); }});
    if (!engine) return fail(std::move(engine).error(), "updates");
    updates_ = std::move(*engine);
    PICKET_LET(settings, settings_of(std::string(kUpdateId), std::string(update::Engine::settings_schema())));
    return updates_->apply_settings(settings.json);
  }

  Result<> open_tasks() {
    auto tasks = tasks::Tasks::open({config_.data_dir / "tasks", config_.device},
                                    {.router = *router_,
                                     .clock = clock_,
                                     .zone = tasks::system_zone(),
                                     .update_interval = [this]() -> std::chrono::seconds { return updates_->interval(); },
                                     .update_runs_at = [this](std::int64_t at) { updates_->runs_next(at); },
                                     .log = [log = log_->part("tasks")](bool warning, std::string_view text) {
                                       log.put(warning ? runtime::Level::warning : runtime::Level::info, text);
                                     },
                                     .is_update_lacking = [this] { return updates_->is_lacking(); }});
    if (!tasks) return fail(std::move(tasks).error(), "tasks");
    tasks_ = std::move(*tasks);
    return {};
  }

  Result<> start_tasks() {
    PICKET_LET(settings, settings_of(std::string(kTasksId), std::string(tasks::Tasks::settings_schema())));
    return tasks_->apply_settings(settings.json);
  }

  std::vector<update::Demand> demands() const {
    std::vector<update::Demand> out;
    if (plugins_)
      for (auto& demand : plugins_->demands()) out.push_back({demand.component, demand.component_class, demand.plugin, demand.running, demand.optional});
    if (self_update_)
      for (auto& demand : self_update_->demands()) out.push_back({demand.component, demand.component_class, demand.plugin, demand.running, demand.optional});
    return out;
  }

  // The policy in force may let more plugins into picketd's process, and switch some off: taken at start.
  void add_policy_ids(std::string_view member, std::vector<std::string>& ids) const {
    boost::system::error_code failed;
    const auto policy = boost::json::parse(policy_->shown().policy_json, failed);
    if (failed || !policy.is_object()) return;
    const auto* host = policy.get_object().if_contains("host");
    const auto* list = host != nullptr && host->is_object() ? host->get_object().if_contains(member) : nullptr;
    if (list == nullptr || !list->is_array()) return;
    for (const auto& id : list->get_array())
      if (id.is_string()) ids.emplace_back(id.get_string());
  }

  Result<> make_plugin_host() {
    plugin_host::Options options;
    options.folders = config_.plugin_dirs;
    // A slot's picketd and picket-plugin-host are one version.
    options.child_program = slot_programs_.empty() ? config_.child_program : slot_programs_ / "picket-plugin-host";
    options.storage_dir = config_.data_dir / "plugins";
    PICKET_LET(keys, keys_in(config_.plugin_keys, "plugin", log_->part("plugin")));
    plugin_keys_ = keys;
    options.keys = std::move(keys);
    options.in_process = config_.in_process;
    options.stand_in = config_.stand_in;
    options.disabled = config_.disabled;
    add_policy_ids("in_process", options.in_process);
    add_policy_ids("stand_in", options.stand_in);
    add_policy_ids("disabled", options.disabled);
    plugins_ = plugin_host::PluginHost::make(
        std::move(options), {*router_, *executor_, *timers_, *io_, clock_, *log_},
        [this](const std::string& id, const std::string& schema) -> Result<plugin_host::Settings> {
          PICKET_LET(settings, settings_of(id, schema));
          return plugin_host::Settings{std::move(settings.json), settings.revision, limits_of(std::move(settings.topics))};
        },
        [this](const plugin_host::Status& status) { plugin_changed(status); });
    return {};
  }

  Result<> open_self_update() {
    selfupdate::Options options;
    options.state_dir = config_.data_dir / "self";
    options.plugin_components = config_.plugin_components;
    // As installed, under the launcher, Picket updates itself where the repository offers it; one started by hand does what it is told.
    if (options.plugin_components.empty() && link_) options.plugin_components = {"picket-plugins"};
    std::erase(options.plugin_components, "");
    options.agent_component = config_.agent_component;
    options.keys = plugin_keys_;
    options.version = PICKET_VERSION;
    auto opened = selfupdate::SelfUpdate::open(std::move(options),
                                               {*router_, *plugins_, *io_, *timers_, std::move(link_),
                                                [log = log_->part("self")](bool warning, std::string_view text) { log.put(warning ? runtime::Level::warning : runtime::Level::info, text); },
                                                [this] {
                                                  worker_->post([this] {
                                                    if (updates_) updates_->plugin_started(std::string(selfupdate::kPeer));
                                                  });
                                                }});
    if (!opened) return fail(std::move(opened).error(), "update of Picket itself");
    self_update_ = std::move(*opened);
    return {};
  }

  void plugin_changed(const plugin_host::Status& status) {
    const auto change = plugin_log_.change_of(status);
    if (!change.line.empty()) log_->part("plugin").put(change.level, change.line);
    if (host_service_) host_service_->plugin_changed(status);
    if (change.came_up)
      worker_->post([this, id = status.id] {
        if (updates_) updates_->plugin_started(id);
      });
  }

  DeviceStatus status() const {
    auto problems = tasks_->problems();
    for (auto& line : unknown()) problems.push_back(std::move(line));
    return device_status(plugins_->list(), updates_->problems(), policy_->shown(), problems, host_service_ ? host_service_->concerns() : std::vector<Concern>());
  }

  Result<> start_services() {
    const auto plugins = [this] { return plugins_.get(); };
    host_service_ = std::make_unique<HostService>(HostService::Parts{
        config_, *router_, clock_, *worker_, plugins, [this] { return status(); },
        [this] { return self_update_->shown(); }});
    PICKET_TRY(host_service_->start());
    policy_service_ = std::make_unique<PolicyService>(PolicyService::Parts{*router_, *worker_, *policy_, plugins, [this] { return updates_.get(); }, [this] { return tasks_.get(); }, log_->part("policy")});
    PICKET_TRY(policy_service_->start());
    watch_service_ = std::make_unique<WatchService>(*router_, *executor_);
    PICKET_TRY(watch_service_->start());
    return {};
  }

  const Config config_;
  std::optional<launcher::Link> link_;  // until self_update_ has it
  const std::filesystem::path slot_programs_ = link_ && link_->slot() != launcher::Slot::package ? program_of(link_->folder(), link_->slot()).parent_path() : std::filesystem::path();
  const core::Clock& clock_ = core::system_clock();
  bool stopped_ = false;
  PluginLog plugin_log_;
  std::vector<std::string> warned_of_;
  std::optional<storage::FolderLock> lock_;  // of the data folder, until all below is gone
  std::unique_ptr<runtime::Log> log_;
  std::unique_ptr<runtime::Executor> executor_;
  std::unique_ptr<runtime::Timers> timers_;
  std::unique_ptr<runtime::IoLoop> io_;
  std::unique_ptr<bus::Router> router_;
  std::unique_ptr<runtime::Worker> worker_;
  std::unique_ptr<policy::Policy> policy_;
  std::unique_ptr<update::Engine> updates_;
  std::unique_ptr<tasks::Tasks> tasks_;
  std::unique_ptr<plugin_host::PluginHost> plugins_;
  std::vector<trust::PublicKey> plugin_keys_;
  std::unique_ptr<selfupdate::SelfUpdate> self_update_;
  std::unique_ptr<HostService> host_service_;
  std::unique_ptr<PolicyService> policy_service_;
  std::unique_ptr<WatchService> watch_service_;
  std::unique_ptr<ControlSocket> control_;
};

}  // namespace

Result<std::unique_ptr<Agent>> Agent::start(const Config& config) {
  auto agent = std::make_unique<RunningAgent>(config);
  PICKET_TRY(agent->start_all());
  return agent;
}

}  // namespace picket::app
