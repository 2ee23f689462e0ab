// The facade of the update engine.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "core/cancel.hpp"
#include "core/clock.hpp"

namespace picket::update {

struct Demand {
  std::string component;
  std::string component_class;  // databases, agent, application
  std::string plugin;           // who asked
  bool running = false;         // running plugins are asked to confirm a new set
  bool optional = false;        // a repository that does not offer it is no failure, unless somebody else needs it
};

struct Options {
  std::filesystem::path data_dir;       // sets, journal, metadata, downloads: all below it
  std::filesystem::path root_file;      // shipped initial TUF root
  std::string agent_version;            // for minimum_agent
  std::string own_component;            // that brings this very program, which cannot be left for nothing; empty: none does
  // Test hook: called before every step that touches the disk, with its name; a test kills the process there. Empty in production.
  std::function<void(std::string_view step)> at_step;
};

// The settings document of id org.picket.update; its schema is settings_schema().
class Engine {
 public:
  struct Parts {
    bus::Router& router;
    const core::Clock& clock;
    std::function<std::vector<Demand>()> demands;
    std::function<void(std::string_view)> warn{};  // into the log, from the engine's thread; empty: nowhere
  };
  // Opens the store, finishes or undoes what a crash left behind (journal), publishes picket.component.active for what is in force,
  // answers picket.update.* and picket.component.list on the bus.
  [[nodiscard]] static Result<std::unique_ptr<Engine>> open(Options options, Parts parts);
  virtual ~Engine() = default;  // cancels a run and waits for it

  [[nodiscard]] static std::string_view settings_schema();
  // What a schema cannot say: the names of sources are unique, a warning comes before what is critical. Code::invalid names the setting.
  [[nodiscard]] static Result<> check_settings(std::string_view settings_json);
  // Settings already valid against the schema. What check_settings() refuses is refused here too; then the ones before stay. Takes effect at
  // the next run.
  [[nodiscard]] virtual Result<> apply_settings(std::string_view settings_json) = 0;
  // How often updates are to be looked for; 0: only by hand. Who keeps time (the tasks) asks picket.update.run, and says when it will next.
  [[nodiscard]] virtual std::chrono::minutes interval() const = 0;
  virtual void runs_next(std::int64_t at) = 0;
  // Databases are wanted of which nothing is in force, and there is a source to ask that did not ask for a rest: not to be kept waiting for the interval. Any thread.
  [[nodiscard]] virtual bool is_lacking() const = 0;
  // A plugin came (back): hand it the sets that it demands.
  virtual void plugin_started(const std::string& plugin_id) = 0;

  // What an administrator should know now, for the device status: databases missing or out of date, the last run failed, a release refused.
  struct Problem {
    bool critical = false;
    std::string text;
  };
  [[nodiscard]] virtual std::vector<Problem> problems() const = 0;
};

}  // namespace picket::update
