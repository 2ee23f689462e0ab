// The facade of tasks: named pieces of work that run by schedule, by hand, after each other, or when there is something new.
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
#include "core/clock.hpp"
#include "tasks/zone.hpp"

namespace picket::tasks {

struct Options {
  std::filesystem::path data_dir;
  std::string device;                       // seeds random delays
  std::chrono::milliseconds tick{30'000};   // how soon a clock that jumped, or a computer that slept, is noticed
  // Test hook: called before every write, with its name; a test kills the process there. Empty in production.
  std::function<void(std::string_view step)> at_step = {};
};

// The settings document of id org.picket.tasks; its schema is settings_schema().
class Tasks {
 public:
  struct Parts {
    bus::Router& router;
    const core::Clock& clock;
    const Zone& zone;
    std::function<std::chrono::seconds()> update_interval;   // of the built-in task update; 0: by hand
    std::function<void(std::int64_t at)> update_runs_at;     // told when it changes; 0: not by the clock
    std::function<void(bool warning, std::string_view text)> log;  // any-thread
    std::function<bool()> is_update_lacking{};  // databases that the built-in task update could bring; empty: never
  };
  // Records what a crash interrupted, answers picket.task.* on the bus. Nothing runs before the first apply_settings.
  [[nodiscard]] static Result<std::unique_ptr<Tasks>> open(Options options, Parts parts);
  virtual ~Tasks() = default;  // cancels what runs and waits for it

  [[nodiscard]] static std::string_view settings_schema();
  // What a schema cannot say: who waits for whom, and the options of the host's types. Code::invalid says which task is wrong.
  [[nodiscard]] static Result<> check_settings(std::string_view settings_json);
  // Settings already valid against the schema. What check_settings() refuses is refused here too; then the ones before stay.
  // `goes_back`: to the ones before the last, which were refused elsewhere: a task is as if it had never had those, unless it ran by them.
  [[nodiscard]] virtual Result<> apply_settings(std::string_view settings_json, bool goes_back = false) = 0;
  // The interval of the update engine changed.
  virtual void update_interval_changed(bool goes_back = false) = 0;

  // What failed last and is not the update engine's own trouble: for the device status.
  [[nodiscard]] virtual std::vector<std::string> problems() const = 0;
};

}  // namespace picket::tasks
