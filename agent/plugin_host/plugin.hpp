// One supervised plugin: finds its newest verified version, gives it a home, starts it again when it falls, gives up when it falls too often.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <picket/plugin.h>

#include "plugin_host/back_off.hpp"
#include "plugin_host/instance.hpp"
#include "plugin_host/lifecycle.hpp"
#include "plugin_host/plugin_host.hpp"
#include "plugin_host/self_report.hpp"
#include "plugin_host/trial.hpp"
#include "plugin_host/verifier.hpp"
#include "runtime/timers.hpp"
#include "runtime/worker.hpp"

namespace picket::plugin_host {

// What all plugins of a host share; outlives them.
struct Supervision {
  const Options& options;
  PluginHost::Parts parts;
  runtime::Worker& worker;  // the supervisor's one thread
  const PluginHost::SettingsFor& settings_for;
  const PluginHost::OnChange& on_change;
  const std::function<std::optional<Place>(const std::string& id)> chosen;  // any-thread
};

// Methods are for the supervisor's thread, unless they say any-thread.
class Plugin {
 public:
  Plugin(const Supervision& supervision, std::string id);
  ~Plugin();
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  void start();    // looks, verifies and goes on from there
  void stop();
  void restart();
  void when_settled(PluginHost::OnSettled tell);  // perhaps within this call
  // done is called once, perhaps within this call.
  void apply(const Settings& settings, std::function<void(Outcome)> done);
  void give_up_apply();  // its caller waits no longer
  // As PluginHost's, in plugin_beside.cpp. done is called once, perhaps within this call.
  void start_beside(const Place& place, PluginHost::OnBeside on_started, std::function<void(Result<Beside>)> done);
  [[nodiscard]] Result<> take_over();
  void end_beside(const std::string& why);

  // Any thread.
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] Status status() const;
  [[nodiscard]] Info info() const;
  [[nodiscard]] std::vector<Demand> demands() const;
  [[nodiscard]] std::optional<std::string> settings_schema() const;  // nullopt: nothing verified
  [[nodiscard]] bool is_settled() const;  // nothing is under way

 private:
  class Events;
  struct Applying {
    Settings settings;
    std::function<void(Outcome)> done;
    bool by_restart = false, applied = false, observed = false;
  };

  // A version beside the one that runs: on trial (in process), or an instance that stands by.
  struct Next {
    enum class Stage { trying, starting, proving, ready } stage = Stage::starting;
    std::shared_ptr<VerifiedPackage> package;
    Home home = Home::isolated;
    Settings settings;
    std::shared_ptr<Events> events;
    std::unique_ptr<Trial> trial;
    std::unique_ptr<Instance> instance;
    SelfReport said;
    std::uint64_t observed_revision = 0;
    bool is_proved = false;
    [[nodiscard]] bool is_beside() const { return home == Home::isolated && package->manifest.exchange == package::Exchange::beside; }
    PluginHost::OnBeside on_started;
    std::function<void(Result<Beside>)> done;
  };
  // The instance that was taken over from, until it has answered what it was asked.
  struct Leaving {
    std::shared_ptr<Events> events;
    std::shared_ptr<Instance> instance;
    std::chrono::milliseconds until{0};  // monotonic
    bool is_stopping = false;
  };

  void take(Event event, std::string text);
  void tell_settled();
  void run(Action action, const std::string& text);
  void look();
  [[nodiscard]] Result<VerifiedPackage> verify_newest(std::string& passed_over, const std::optional<Place>& chosen) const;
  [[nodiscard]] Result<VerifiedPackage> verify_place(const Place& place) const;
  [[nodiscard]] Home home_of(const package::Manifest& manifest) const;
  [[nodiscard]] Standing standing() const;
  [[nodiscard]] bool is_disabled() const;
  [[nodiscard]] Result<> check_needs(const package::Manifest& manifest) const;
  void try_out();
  void launch();
  [[nodiscard]] Result<> make_instance();
  void drop();
  void back_off_or_give_up(const std::string& text);
  void arm(std::chrono::milliseconds delay, Event event, std::string text);
  void disarm();
  void finish_apply(Health health, std::string text, bool in_force);
  void check_apply();
  void change(const std::function<void(Status&)>& edit);

  // From Events, on the supervisor's thread.
  void started(Result<> result);
  void applied(std::uint64_t revision, Result<> result);
  void observed(std::uint64_t revision, Health health, std::string text);
  void health_changed(Health health, std::string text);
  void show_said();
  void overran(const std::string& what, std::chrono::milliseconds so_far);
  // The same of the version beside it, and the end of the one before it.
  [[nodiscard]] Result<> make_next(const Place& place);
  void next_tried(const Result<>& result);
  void next_started(const Result<>& result);
  void next_observed(std::uint64_t revision, Health health, std::string text);
  void next_health_changed(Health health, std::string text);
  void next_said();
  void next_failed(const std::string& why);
  void next_due();
  void judge_next();
  void answer_next(Result<Beside> result);
  void arm_next(std::chrono::milliseconds delay);  // 0: disarms
  void let_leave();
  void left();

  const Supervision& all_;
  const std::string id_;
  std::shared_ptr<Events> events_;  // of the present instance or trial; older ones are not listened to
  std::unique_ptr<Trial> trial_;
  std::optional<Settings> settings_;  // in force, or for the next start
  std::optional<Applying> applying_;
  std::vector<PluginHost::OnSettled> when_settled_;
  BackOff back_off_{all_.options.restart};
  std::string loaded_sha256_;         // what entry_ was loaded from (in process)
  const picket_entry* entry_ = nullptr;
  SelfReport said_;                   // of the present instance
  bool again_ = false;                // start again once stopped
  bool is_hung_ = false;              // in process, at the deadline: another instance would only hang as well
  unsigned starts_ = 0;
  std::unique_ptr<Next> next_;
  std::optional<Leaving> leaving_;
  runtime::Timers::Id next_timer_ = 0, leave_timer_ = 0;
  std::uint64_t next_generation_ = 0, leave_generation_ = 0;
  runtime::Timers::Id timer_ = 0;
  std::uint64_t timer_generation_ = 0;

  mutable std::mutex mutex_;  // the rest: read by any thread
  Status status_;
  std::shared_ptr<VerifiedPackage> package_;
  std::shared_ptr<Instance> instance_;
  std::string settings_json_;
  std::uint64_t overruns_ = 0;
};

}  // namespace picket::plugin_host
