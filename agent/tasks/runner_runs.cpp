// From a task that is due to what came of it.
#include <algorithm>

#include "tasks/runner.hpp"

namespace picket::tasks {

void Runner::start_waiting() {
  // Who has waited longest: one that is always due must not keep another waiting for ever.
  while (going_.size() < at_once_) {
    Entry* next = nullptr;
    for (auto& [id, entry] : entries_)
      if (!entry.waiting.empty() && !entry.running && (next == nullptr || entry.turn < next->turn)) next = &entry;
    if (next == nullptr) return;
    begin(*next);
  }
}

void Runner::begin(Entry& entry) {
  auto& going = going_.emplace_back();
  auto& run = going.run;
  if (options_.at_step) options_.at_step("counters.next");
  auto number = counters_.next("run");
  run.set_run(number ? *number : counters_.get("run") + 1);  // a full disk must not hinder an update
  run.set_task(entry.definition.id);
  run.set_type(entry.definition.type);
  run.set_trigger(std::exchange(entry.waiting, {}));
  run.set_started(parts_.clock.wall_seconds());
  going.asker = std::exchange(entry.waiting_asker, 0);
  const auto& limit = entry.definition.schedule.stop_after;
  if (limit.count() > 0) going.stop_at_ms = (parts_.clock.monotonic() + limit).count();
  entry.running = entry.ran_since_start = true;

  auto what = entry.remembered;
  what.last_start = run.started();
  what.pending_at = 0;
  what.pending_why.clear();
  what.running = run.run();
  what.type = run.type();
  what.trigger = run.trigger();
  remember(entry, what);
  say(false, cat("task ", run.task(), " begins (", run.trigger(), "), run ", std::to_string(run.run())));

  v1::WorkRequest request;
  request.set_task(run.task());
  request.set_run(run.run());
  request.set_options_json(entry.definition.options_json);
  request.set_trigger(run.trigger());
  going.thread = std::thread([this, &going, request = std::move(request)]() mutable { work(going, std::move(request)); });
}

void Runner::work(Going& going, v1::WorkRequest request) {
  const auto type = going.run.type();  // written before this thread began
  const auto token = going.cancel.token();
  const auto* host = host_work_of(type);
  const auto progress = [&](const update::v1::Progress& message) { tell(going, message); };
  auto reply = host != nullptr ? host->run(*caller_, request, progress, token) : run_elsewhere(*caller_, type, request, progress, token);
  const std::lock_guard lock(mutex_);
  auto& run = going.run;
  if (reply) {
    run.set_result(reply->result());
    run.set_text(reply->text());
    *run.mutable_parts() = reply->parts();
    run.set_news(reply->news());
  } else {
    run.set_result(reply.error().code == Code::cancelled ? "cancelled" : reply.error().code == Code::unsupported ? "unsupported" : "failed");
    run.set_text(reply.error().message);
  }
  // Who told it to end says what that means; what ended all the same before it heard of it keeps its own result.
  if (run.result() == "cancelled" && !going.why_ended.empty()) {
    run.set_result(going.why_ended);
    run.set_text(going.why_ended == "timed-out" ? "it took longer than stop_after" : going.why_ended == "interrupted" ? "the agent was stopped" : "cancelled");
  }
  run = Records::in_one_message(std::move(run));
  going.done = true;
  wake_.notify_all();
}

void Runner::tell(const Going& going, const update::v1::Progress& progress) {
  std::string plain, event;
  const std::lock_guard lock(mutex_);
  // Without credit a line of progress is lost, nothing more.
  if (going.asker != 0) (void)own_peer().stream_write(going.asker, progress.SerializeAsString());
  for (const auto& [id, task] : watchers_) {
    if (!task.empty() && task != going.run.task()) continue;
    if (event.empty()) {
      v1::WatchEvent message;
      message.set_task(going.run.task());
      message.set_run(going.run.run());
      *message.mutable_progress() = progress;
      event = message.SerializeAsString();
    }
    (void)own_peer().stream_write(id, event);
  }
}

void Runner::finish_done(Lock& lock) {
  for (auto at = going_.begin(); at != going_.end();) {
    if (!at->done) {
      ++at;
      continue;
    }
    // It holds no lock any more once `done` was seen under it; what is left of it is its return.
    auto thread = std::move(at->thread);
    lock.unlock();
    thread.join();
    lock.lock();
    conclude(*at);
    at = going_.erase(at);
  }
}

void Runner::conclude(Going& going) {
  auto& run = going.run;
  run.set_finished(std::max(parts_.clock.wall_seconds(), run.started()));
  if (auto kept = records_.add(run); !kept) say(true, cat("the history of tasks could not be written: ", kept.error().message));
  // Before the journal forgets that it ran: a power cut in between repeats this, and does not lose it.
  if (!stopping_) trigger_followers(run);
  if (auto* entry = find(run.task())) {
    entry->running = false;
    entry->last = run;
  }
  forget_running(run);
  const bool good = run.result() == "ok";
  say(!good, cat("task ", run.task(), ": ", run.result(), run.text().empty() ? "" : ": ", run.text()));
  if (going.asker != 0) answer(going.asker, run);
  v1::WatchEvent event;
  event.set_task(run.task());
  event.set_run(run.run());
  *event.mutable_finished() = run;
  for (auto at = watchers_.begin(); at != watchers_.end();) {
    if (at->second.empty()) {
      (void)own_peer().stream_write(at->first, event.SerializeAsString());
      ++at;
    } else if (at->second == run.task()) {
      answer(at->first, run);
      at = watchers_.erase(at);
    } else {
      ++at;
    }
  }
  const auto type = cat("application/x-protobuf; messageType=", run.GetTypeName());
  if (const auto status = own_peer().publish("picket.task.finished", "", type, run.SerializeAsString()); status != bus::kOk)
    say(true, cat("run ", std::to_string(run.run()), " of task ", run.task(), " could not be told by picket.task.finished: ",
                  status == bus::status_of(Code::busy) ? "a subscriber's queue is full" : cat("the bus says ", to_string(bus::code_of(status)))));
  if (stopping_) return;
  // What an update, a verification or a distribution point brought is told by themselves, whoever started it.
  if (run.news() && run.type() != "update" && run.type() != "verification" && run.type() != "distribution-point") new_updates(run.task(), run.type());
}

void Runner::forget_running(const v1::Run& run) {
  auto* entry = find(run.task());
  auto what = entry != nullptr ? entry->remembered : records_.of(run.task());
  what.running = 0;
  what.type.clear();
  what.trigger.clear();
  if (entry == nullptr) return (void)records_.set(run.task(), what);
  remember(*entry, what);
  calculate(*entry, parts_.clock.wall_seconds());
}

void Runner::trigger_followers(const v1::Run& run) {
  for (auto& [id, entry] : entries_) {
    const auto& schedule = entry.definition.schedule;
    if (schedule.kind != Schedule::Kind::after || schedule.after != run.task() || !entry.definition.enabled) continue;
    if (!schedule.only_after_success || run.result() == "ok") set_pending(entry, schedule.delay, cat("after ", run.task()));
  }
}

void Runner::new_updates(std::string_view from_task, std::string_view from_type) {
  for (auto& [id, entry] : entries_) {
    const auto& schedule = entry.definition.schedule;
    if (schedule.kind != Schedule::Kind::new_updates || !entry.definition.enabled || id == from_task) continue;
    if (entry.running && entry.definition.type == from_type) continue;  // its own news
    set_pending(entry, schedule.delay, "new-updates");
  }
}

// A drive was plugged in that an update had asked for: what runs by the clock need not wait for it; what runs by hand is not begun by a drive.
void Runner::source_appeared() {
  for (auto& [id, entry] : entries_)
    if (entry.definition.type == "update" && entry.definition.enabled && entry.definition.schedule.is_by_clock()) set_pending(entry, std::chrono::seconds(0), "source-appeared", false);
}

void Runner::set_pending(Entry& entry, std::chrono::seconds delay, std::string why, bool spread) {
  auto what = entry.remembered;
  const auto most = entry.definition.schedule.random_delay.count();
  const auto extra = most == 0 || !spread ? 0 : static_cast<std::int64_t>(spread_of(options_.device, entry.definition.id) % static_cast<std::uint64_t>(most + 1));
  const auto at = parts_.clock.wall_seconds() + delay.count() + extra;
  if (what.pending_at != 0 && what.pending_at <= at) return;  // it is coming anyway
  what.pending_at = at;
  what.pending_why = std::move(why);
  remember(entry, what);
  look_ = true;
  wake_.notify_all();
}

}  // namespace picket::tasks
