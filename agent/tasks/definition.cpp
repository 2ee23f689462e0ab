#include "tasks/definition.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/json_members.hpp"

namespace picket::tasks {
namespace {

namespace json = boost::json;
using members::flag_of;
using members::number_of;
using members::text_of;
using std::chrono::seconds;
using Kind = Schedule::Kind;

constexpr seconds kAutomatic{2 * 3600}, kOutbreak{15 * 60};
constexpr std::int64_t kLongest = 366 * 86400;  // no duration of the schema is longer

// The schema has looked at every shape already: what does not fit is as good as absent, and nothing here, or in the calendar, can fail on it.
const json::object* object_of(const json::object& from, std::string_view name) {
  const auto* value = from.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

seconds duration_of(const json::object& from, std::string_view name, seconds otherwise = seconds(0)) {
  const auto* duration = object_of(from, name);
  if (duration == nullptr) return otherwise;
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 4> units{{{"seconds", 1}, {"minutes", 60}, {"hours", 3600}, {"days", 86400}}};
  for (const auto& [unit, worth] : units)
    if (duration->contains(unit)) {
      const auto count = number_of(*duration, unit);
      return count >= 0 && count <= kLongest / worth ? seconds(count * worth) : otherwise;
    }
  return otherwise;
}

seconds time_of(const json::object& from) {
  const auto text = text_of(from, "at");
  if (text.size() != 5) return seconds(0);
  const auto two = [&](std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); };
  const seconds out(two(0) * 3600 + two(3) * 60);
  return out.count() >= 0 && out.count() < 86400 ? out : seconds(0);
}

void read_when(const json::object& when, Schedule& out) {
  if (object_of(when, "every") != nullptr) {
    out.kind = Kind::every;
    out.every = duration_of(when, "every");
  } else if (const auto* daily = object_of(when, "daily")) {
    out.kind = Kind::daily;
    out.time_of_day = time_of(*daily);
    out.every_days = std::clamp(number_of(*daily, "every_days", 1U), 1U, 365U);
  } else if (const auto* weekly = object_of(when, "weekly")) {
    out.kind = Kind::weekly;
    out.time_of_day = time_of(*weekly);
    constexpr std::array<std::string_view, 7> names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    if (const auto* list = weekly->if_contains("days"); list != nullptr && list->is_array())
      for (const auto& day : list->get_array())
        for (std::size_t i = 0; i < names.size(); ++i)
          if (day.is_string() && day.get_string() == names[i]) out.weekdays[i] = true;
  } else if (const auto* monthly = object_of(when, "monthly")) {
    out.kind = Kind::monthly;
    out.time_of_day = time_of(*monthly);
    out.day = std::min(number_of(*monthly, "day", 0U), 31U);
  } else if (const auto* start = object_of(when, "at_start")) {
    out.kind = Kind::at_start;
    out.delay = duration_of(*start, "delay");
  } else if (const auto* news = object_of(when, "new_updates")) {
    out.kind = Kind::new_updates;
    out.delay = duration_of(*news, "delay");
  } else if (const auto* after = object_of(when, "after")) {
    out.kind = Kind::after;
    out.after = text_of(*after, "task");
    out.only_after_success = text_of(*after, "on") != "any";
    out.delay = duration_of(*after, "delay");
  } else if (const auto* automatic = object_of(when, "automatic")) {
    out.kind = Kind::automatic;
    out.every = duration_of(*automatic, "every", kAutomatic);
    out.outbreak = std::min(duration_of(*automatic, "outbreak", kOutbreak), out.every);
  }
}

Definition read_task(std::string id, const json::object& from) {
  Definition out;
  out.type = text_of(from, "type");
  if (out.type.empty()) out.type = id;
  out.id = std::move(id);
  if (const auto* options = object_of(from, "options")) out.options_json = json::serialize(*options);
  out.enabled = flag_of(from, "enabled", true);
  if (const auto* when = object_of(from, "schedule")) {
    out.has_schedule = true;  // {}: by hand, also for the built-in task
    read_when(*when, out.schedule);
  }
  out.schedule.run_missed = flag_of(from, "run_missed", true);
  out.schedule.random_delay = duration_of(from, "random_delay");
  out.schedule.stop_after = duration_of(from, "stop_after");
  out.json = json::serialize(from);
  return out;
}

// Where each task's `after` leads must come to an end.
Result<> check_order(const std::vector<Definition>& tasks) {
  std::map<std::string_view, std::string_view> waits_for;
  for (const auto& task : tasks)
    if (task.schedule.kind == Kind::after) waits_for[task.id] = task.schedule.after;
  for (const auto& [id, other] : waits_for) {
    if (std::ranges::none_of(tasks, [name = other](const auto& task) { return task.id == name; }))
      return fail(Code::invalid, cat("tasks.", id, ".schedule.after: there is no task '", other, "'"));
    std::set<std::string_view> seen{id};
    for (auto at = waits_for.find(other); at != waits_for.end(); at = waits_for.find(at->second))
      if (!seen.insert(at->first).second) return fail(Code::invalid, cat("tasks.", id, ".schedule.after: the tasks wait for each other in a circle"));
  }
  return {};
}

}  // namespace

Result<Settings> parse_settings(std::string_view text, seconds update_every) {
  json::error_code error;
  const auto document = json::parse(text, error);
  if (error) return fail(Code::invalid, cat("tasks: not JSON: ", error.message()));
  if (!document.is_object()) return fail(Code::invalid, "tasks: must be an object");
  const auto& root = document.get_object();
  Settings out;
  out.outbreak = flag_of(root, "outbreak");
  out.at_once = static_cast<std::size_t>(std::clamp<std::int64_t>(number_of<std::int64_t>(root, "at_once", 2), 1, 16));
  std::map<std::string, Definition> tasks;
  if (const auto* list = object_of(root, "tasks"))
    for (const auto& member : *list) {
      if (member.key().empty()) return fail(Code::invalid, "tasks: a task has no name");
      if (member.value().is_object()) tasks.emplace(member.key(), read_task(std::string(member.key()), member.value().get_object()));
    }
  auto& update = tasks[std::string(kUpdateTask)];
  update.id = kUpdateTask;
  if (update.type.empty()) update.type = kUpdateTask;
  if (!update.has_schedule && update_every.count() > 0) {
    update.schedule.kind = Kind::automatic;
    update.schedule.every = update_every;
    update.schedule.outbreak = std::min(kOutbreak, update_every);
  }
  for (auto& [id, task] : tasks) {
    if (task.options_json.size() > kMaxOptions)
      return fail(Code::invalid, cat("tasks.", id, ".options: they have ", std::to_string(task.options_json.size()), " bytes, at most ", std::to_string(kMaxOptions), " are taken"));
    out.tasks.push_back(std::move(task));
  }
  PICKET_TRY(check_order(out.tasks));
  return out;
}

}  // namespace picket::tasks
