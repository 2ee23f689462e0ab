#include "plugin_host/plugin_host.hpp"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "plugin_host/plugin.hpp"
#include "plugin_host/verifier.hpp"
#include "runtime/log.hpp"
#include "runtime/worker.hpp"

namespace picket::plugin_host {

namespace {

using std::chrono::milliseconds;

class Host final : public PluginHost {
 public:
  Host(Options options, Parts parts, SettingsFor settings_for, OnChange on_change)
      : options_(std::move(options)),
        parts_(parts),
        settings_for_(std::move(settings_for)),
        on_change_([this, tell = std::move(on_change)](const Status& status) {
          if (tell) tell(status);
          const std::lock_guard lock(mutex_);
          changed_.notify_all();
        }),
        worker_("plugins") {}

  ~Host() override { stop(); }

  void start(milliseconds limit) override {
    std::set<std::string> ids;
    for (const auto& folder : options_.folders) {
      auto found = find_folders(folder);
      if (!found) {
        parts_.log.part("plugin").warning("no plugins from ", folder.native(), ": ", found.error().message);
        continue;
      }
      for (const auto& name : *found) {
        if (package::is_plugin_id(name)) ids.insert(name);
        else if (const auto versions = find_versions(folder, name); versions && !versions->empty())
          parts_.log.part("plugin").warning("left out: ", (folder / name).native(), ": its name is no plugin id, as com.vendor.thing is: lower-case letters, digits and '-'");
      }
    }
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [id, place] : chosen_) ids.insert(id);
    }
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& id : ids) {
      auto* plugin = add(id);
      worker_.post([plugin] { plugin->start(); });
    }
    wait_until(begin + limit, [](const Plugin& plugin) { return plugin.is_settled(); }, ids);
  }

  void stop() override {
    if (is_stopped_.exchange(true)) return;
    const auto begin = std::chrono::steady_clock::now();
    std::set<std::string> ids;
    for (auto* plugin : all()) {
      ids.insert(plugin->id());
      worker_.post([plugin] { plugin->stop(); });
    }
    wait_until(begin + options_.stop_deadline + milliseconds(1000),
               [](const Plugin& plugin) {
                 const auto state = plugin.status().state;
                 return state == State::stopped || state == State::refused;
               },
               ids);
    worker_.stop();
    std::map<std::string, std::unique_ptr<Plugin>, std::less<>> gone;
    {
      const std::lock_guard lock(mutex_);
      gone.swap(plugins_);
    }
    gone.clear();  // whatever did not stop is ended now
  }

  std::vector<Status> list() const override {
    std::vector<Status> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, plugin] : plugins_) out.push_back(plugin->status());
    return out;
  }

  Result<Info> info(std::string_view id) const override {
    const std::lock_guard lock(mutex_);
    const auto found = plugins_.find(id);
    if (found == plugins_.end()) return unknown(id);
    return found->second->info();
  }

  Result<> restart(std::string_view id, OnSettled on_settled) override {
    if (!package::is_plugin_id(id)) return unknown(id);
    if (const auto& disabled = options_.disabled; std::find(disabled.begin(), disabled.end(), id) != disabled.end())
      return fail(Code::denied, cat(id, " is disabled by the administrator"));
    auto* plugin = find(id);
    const bool is_new = plugin == nullptr;
    if (is_new) {
      // It may have been installed since.
      const std::string name(id);
      const bool is_there = std::any_of(options_.folders.begin(), options_.folders.end(), [&](const auto& folder) {
        const auto versions = find_versions(folder, name);
        return versions && !versions->empty();
      });
      if (!is_there && !chosen(name)) return unknown(id);
      plugin = add(name);
    }
    worker_.post([plugin, is_new, on_settled = std::move(on_settled)]() mutable {
      is_new ? plugin->start() : plugin->restart();
      if (on_settled) plugin->when_settled(std::move(on_settled));
    });
    return {};
  }

  std::vector<Demand> demands() const override {
    std::vector<Demand> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, plugin] : plugins_)
      for (auto& demand : plugin->demands()) out.push_back(std::move(demand));
    return out;
  }

  std::vector<Schema> schemas() const override {
    std::vector<Schema> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, plugin] : plugins_)
      if (auto schema = plugin->settings_schema(); schema) out.push_back({id, std::move(*schema)});
    return out;
  }

  Outcome apply(const std::string& id, const Settings& settings, milliseconds limit) override {
    auto* plugin = find(id);
    if (plugin == nullptr) return {id, settings.revision, settings.revision, Health::unknown, "no such plugin"};
    // Shared: the answer may come after we have stopped waiting.
    const auto outcome = std::make_shared<std::promise<Outcome>>();
    auto answer = outcome->get_future();
    worker_.post([plugin, settings, outcome] { plugin->apply(settings, [outcome](Outcome o) { outcome->set_value(std::move(o)); }); });
    if (answer.wait_for(limit) == std::future_status::ready) return answer.get();
    worker_.post([plugin] { plugin->give_up_apply(); });
    if (answer.wait_for(milliseconds(1000)) == std::future_status::ready) return answer.get();
    return {id, settings.revision, 0, Health::failed, "the plugin host is stopping"};
  }

  void choose(std::vector<Place> places) override {
    const std::lock_guard lock(mutex_);
    chosen_.clear();
    for (auto& place : places) {
      auto id = place.id;
      chosen_.insert_or_assign(std::move(id), std::move(place));
    }
  }

  Result<Beside> start_beside(const Place& place, OnBeside on_started) override {
    if (!package::is_plugin_id(place.id)) return fail(Code::invalid, cat("not a plugin id: ", place.id));
    auto* plugin = add(place.id);
    const auto outcome = std::make_shared<std::promise<Result<Beside>>>();
    auto answer = outcome->get_future();
    worker_.post([plugin, place, outcome, on_started = std::move(on_started)] { plugin->start_beside(place, on_started, [outcome](Result<Beside> result) { outcome->set_value(std::move(result)); }); });
    // Every stage of it has its own deadline.
    const auto limit = options_.trial_deadline + options_.start_deadline + options_.replacing.healthy_within + options_.replacing.prove_for + milliseconds(1000);
    if (answer.wait_for(limit) == std::future_status::ready) return answer.get();
    end_beside(place.id);
    return fail(Code::timeout, cat(place.id, ": the plugin host has no time for it"));
  }

  Result<> take_over(const std::string& id) override {
    auto* plugin = find(id);
    if (plugin == nullptr) return unknown(id);
    const auto outcome = std::make_shared<std::promise<Result<>>>();
    auto answer = outcome->get_future();
    worker_.post([plugin, outcome] { outcome->set_value(plugin->take_over()); });
    if (answer.wait_for(options_.start_deadline + milliseconds(1000)) == std::future_status::ready) return answer.get();
    return fail(Code::timeout, cat(id, ": the plugin host has no time for it"));
  }

  void end_beside(const std::string& id) override {
    if (auto* plugin = find(id)) worker_.post([plugin] { plugin->end_beside("not wanted any more"); });
  }

 private:
  std::optional<Place> chosen(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = chosen_.find(id);
    return found == chosen_.end() ? std::nullopt : std::optional(found->second);
  }

  static tl::unexpected<Error> unknown(std::string_view id) { return fail(Code::not_found, cat("no plugin with the id ", id)); }

  Plugin* find(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    const auto found = plugins_.find(id);
    return found == plugins_.end() ? nullptr : found->second.get();
  }
  Plugin* add(const std::string& id) {
    const std::lock_guard lock(mutex_);
    auto& plugin = plugins_[id];
    if (plugin == nullptr) plugin = std::make_unique<Plugin>(all_, id);
    return plugin.get();
  }
  std::vector<Plugin*> all() const {
    std::vector<Plugin*> out;
    const std::lock_guard lock(mutex_);
    for (const auto& [id, plugin] : plugins_) out.push_back(plugin.get());
    return out;
  }
  template <class Predicate>
  void wait_until(std::chrono::steady_clock::time_point until, Predicate&& is_done, const std::set<std::string>& ids) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [&] {
      return std::all_of(ids.begin(), ids.end(), [&](const std::string& id) { return is_done(*plugins_.at(id)); });
    });
  }

  const Options options_;
  const Parts parts_;
  const SettingsFor settings_for_;
  const OnChange on_change_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> is_stopped_{false};
  std::map<std::string, std::unique_ptr<Plugin>, std::less<>> plugins_;  // only grow until the end
  std::map<std::string, Place, std::less<>> chosen_;
  runtime::Worker worker_;
  const Supervision all_{options_, parts_, worker_, settings_for_, on_change_, [this](const std::string& id) { return chosen(id); }};
};

}  // namespace

std::unique_ptr<PluginHost> PluginHost::make(Options options, Parts parts, SettingsFor settings_for, OnChange on_change) {
  return std::make_unique<Host>(std::move(options), parts, std::move(settings_for), std::move(on_change));
}

}  // namespace picket::plugin_host
