// What an administrator says of tasks: the settings of org.picket.tasks as values.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "tasks/schedule.hpp"

namespace picket::tasks {

struct Definition {
  std::string id, type;
  std::string options_json = "{}";
  bool enabled = true;
  bool has_schedule = false;
  Schedule schedule;
  std::string json;  // as it was written; empty: built in
  bool operator==(const Definition&) const = default;
};

struct Settings {
  std::vector<Definition> tasks;  // by id
  bool outbreak = false;
  std::size_t at_once = 2;
};

inline constexpr std::size_t kMaxOptions = 40'000;  // bytes: one message holds them, and a task's answer its last run, too

[[nodiscard]] std::string_view settings_schema_text();
inline constexpr std::string_view kUpdateTask = "update";  // built in
inline constexpr std::string_view kByHand = "by-hand";     // the trigger of a run that somebody asked for
// Also checks what a schema cannot say: a task that waits for another that is not there, or in a circle; options that are too long. Code::invalid names the task
// and what is wrong. `update_every`: the schedule of the built-in task where nothing else is said; 0: by hand.
[[nodiscard]] Result<Settings> parse_settings(std::string_view json, std::chrono::seconds update_every);

}  // namespace picket::tasks
