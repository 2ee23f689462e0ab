// What the settings say: the tasks, and what becomes of those that were there before.
#include <algorithm>

#include "tasks/runner.hpp"

namespace picket::tasks {

std::string_view Tasks::settings_schema() { return settings_schema_text(); }

Result<> Tasks::check_settings(std::string_view settings_json) {
  PICKET_LET(settings, parse_settings(settings_json, {}));
  const auto works = host_work();
  for (const auto& task : settings.tasks)
    for (const auto& work : works)
      if (work->type() == task.type)
        if (auto good = work->check(task.options_json); !good) return fail(Code::invalid, cat("tasks.", task.id, ".", good.error().message));
  return {};
}

Result<> Runner::apply_settings(std::string_view settings_json, bool goes_back) {
  PICKET_TRY(check_settings(settings_json));
  PICKET_LET(settings, parse_settings(settings_json, parts_.update_interval()));
  const std::lock_guard lock(mutex_);
  settings_json_ = settings_json;
  take_settings(std::move(settings), goes_back);
  return {};
}

void Runner::update_interval_changed(bool goes_back) {
  const std::lock_guard lock(mutex_);
  if (!configured_) return;
  if (auto settings = parse_settings(settings_json_, parts_.update_interval())) take_settings(std::move(*settings), goes_back);
}

void Runner::take_settings(Settings settings, bool goes_back) {
  const auto now = parts_.clock.wall_seconds();
  std::map<std::string, v1::Run, std::less<>> last;
  // Not only at the start: a policy that is refused brings back what it had taken out.
  if (std::ranges::any_of(settings.tasks, [&](const auto& definition) { return find(definition.id) == nullptr; }))
    (void)records_.read([&](v1::Run run) {
      last.try_emplace(run.task(), run);
      return true;
    });
  std::map<std::string, Entry, std::less<>> fresh;
  std::set<std::string, std::less<>> names;
  for (auto& definition : settings.tasks) {
    names.insert(definition.id);
    Entry entry;
    if (const auto known = entries_.find(definition.id); known != entries_.end()) {
      entry = std::move(known->second);
    } else {
      entry.remembered = records_.of(definition.id);
      if (const auto run = last.find(definition.id); run != last.end()) entry.last = run->second;
    }
    const bool is_new = entry.definition.id.empty();
    const bool same_trigger = entry.definition.schedule.kind == definition.schedule.kind && entry.definition.schedule.after == definition.schedule.after;
    entry.definition = std::move(definition);
    auto what = entry.remembered;
    // While it is off it has none. Against what was recorded: it may have changed while the agent was stopped.
    const auto schedule = digest_of(entry.definition.enabled ? entry.definition.schedule : Schedule());
    const bool changed = what.schedule != 0 && what.schedule != schedule;
    // As if it had never been another, unless it ran by that.
    const bool is_back = goes_back && changed && entry.before.schedule == schedule && entry.before.last_start == what.last_start;
    if (is_back) {
      what.first_seen = entry.before.first_seen;
      // What was triggered meanwhile, in the same way, is to follow also by this one.
      if (entry.before.pending_at != 0 || !same_trigger) {
        what.pending_at = entry.before.pending_at;
        what.pending_why = entry.before.pending_why;
      }
      entry.ran_since_start = entry.ran_before;
    } else if (changed) {
      entry.before = what;
      entry.ran_before = entry.ran_since_start;
      what.pending_at = 0;
    }
    what.schedule = schedule;
    // A new schedule counts from now: what it would have said earlier was not missed.
    if (what.first_seen == 0 || (changed && !is_back)) what.first_seen = now;
    what.first_seen = std::min(what.first_seen, now);
    what.last_start = settled(what.last_start, now);
    remember(entry, what);
    if (configured_ && (is_new || (changed && !is_back))) leave_out_past_start(entry, now);
    if (!entry.definition.enabled && !entry.waiting.empty() && entry.waiting != kByHand) give_up_waiting(entry, Code::cancelled, "was switched off");
    fresh.emplace(entry.definition.id, std::move(entry));
  }
  // What waits without a definition any more is told so; what runs goes on to its end.
  for (auto& [id, entry] : entries_)
    if (!fresh.contains(id) && !entry.waiting.empty()) give_up_waiting(entry, Code::not_found, "was taken out of the settings");
  entries_ = std::move(fresh);
  for (const auto& going : going_)
    if (auto* entry = find(going.run.task())) entry->running = true;
  records_.keep_only(std::move(names));
  if (configured_ && settings.outbreak && !outbreak_) outbreak_since_ = now;
  outbreak_ = settings.outbreak;
  at_once_ = settings.at_once;
  for (auto& [id, entry] : entries_) calculate(entry, now);
  configured_ = true;
  // It ended, but the agent did too before what follows it was noted.
  for (const auto& run : std::exchange(concluded_halfway_, {})) {
    trigger_followers(run);
    forget_running(run);
  }
  look_ = true;
  wake_.notify_all();
}

// A start that was over when the schedule came was not its start: it waits for the next one. Else all devices that a policy reaches would begin at once.
void Runner::leave_out_past_start(Entry& entry, std::int64_t now) {
  if (entry.definition.schedule.kind != Schedule::Kind::at_start || !entry.definition.enabled) return;  // decided when it is switched on
  calculate(entry, now);
  if (entry.due.at <= now) entry.ran_since_start = true;
}

}  // namespace picket::tasks
