// What is due, and when to look again.
#include "tasks/runner.hpp"

#include <algorithm>

#include "base/files.hpp"

namespace picket::tasks {
namespace {

constexpr std::int64_t kJump = 5;  // seconds that the clock may be off what passed before it counts as a jump

}  // namespace

Result<std::unique_ptr<Tasks>> Tasks::open(Options options, Parts parts) {
  const auto folder = options.data_dir;
  PICKET_TRY(make_folders(folder, 0700));
  PICKET_LET(lock, storage::FolderLock::take(folder));
  PICKET_LET(counters, storage::Counters::open(folder / "counters"));
  PICKET_LET(records, Records::open(folder, options.at_step));
  auto runner = std::make_unique<Runner>(std::move(options), std::move(parts), std::move(lock), std::move(counters), std::move(records));
  PICKET_TRY(runner->start());
  return runner;
}

Runner::Runner(Options options, Parts parts, storage::FolderLock lock, storage::Counters counters, Records records)
    : options_(std::move(options)), parts_(std::move(parts)), lock_(std::move(lock)), counters_(std::move(counters)), records_(std::move(records)) {}

Result<> Runner::start() {
  agent_start_ = awake_since_ = seen_wall_ = parts_.clock.wall_seconds();
  seen_monotonic_ms_ = parts_.clock.monotonic().count();
  std::uint64_t highest = 0;
  std::map<std::uint64_t, v1::Run> known;
  PICKET_TRY(records_.read([&](const v1::Run& run) {
    highest = std::max(highest, run.run());
    known.emplace(run.run(), run);
    return true;
  }));
  for (const auto& [task, what] : records_.all()) highest = std::max(highest, what.running);
  // Lost counters must not make run numbers begin again.
  if (counters_.get("run") < highest) PICKET_TRY(counters_.raise("run", highest));
  if (records_.damaged_bytes() > 0) say(true, "the journal of tasks was damaged on disk: some tasks may run earlier than they should");
  const auto all = records_.all();
  for (auto [task, what] : all) {
    if (what.running == 0) continue;
    if (!known.contains(what.running)) {
      v1::Run run;
      run.set_run(what.running);
      run.set_task(task);
      run.set_type(what.type);
      run.set_trigger(what.trigger);
      run.set_result("interrupted");
      run.set_started(what.last_start);
      run.set_finished(parts_.clock.wall_seconds());
      run.set_text("the agent ended while it ran");
      PICKET_TRY(records_.add(run));
      say(true, cat("task ", task, ": run ", std::to_string(what.running), " was interrupted by the end of the agent"));
    } else {
      concluded_halfway_.push_back(known.at(what.running));  // forgotten when what follows it is noted
      continue;
    }
    what.running = 0;
    PICKET_TRY(records_.set(task, what));
  }

  bus::PeerOptions asking;
  asking.name = "picket.task.run";
  asking.allow.asks = {"picket.task.type.*", "picket.update.*", "picket.distribution_point.*"};
  PICKET_LET(caller, bus::Caller::attach(parts_.router, std::move(asking)));
  caller_ = std::move(caller);
  bus::PeerOptions options;
  options.name = "picket.task";
  // The second is said by plugins: declared first, so that none can make another kind of what all others may publish.
  options.allow.publishes = {{"picket.task.finished", bus::Kind::event}, {"picket.source.appeared", bus::Kind::event}};
  options.allow.subscribes = {"picket.update.finished", "picket.distribution_point.finished", "picket.source.appeared"};
  options.allow.answers = {"picket.task.list", "picket.task.show", "picket.task.run", "picket.task.watch", "picket.task.cancel", "picket.task.history"};
  PICKET_LET(peer, parts_.router.attach(std::move(options), *this));
  peer_ = std::move(peer);
  bus_.store(peer_.get());
  bus_.notify_all();
  for (const auto* topic : {"picket.update.finished", "picket.distribution_point.finished", "picket.source.appeared"})
    if (const auto status = peer_->subscribe(topic); status != bus::kOk) return fail(Code::internal, cat("subscribe to ", topic));
  thread_ = std::thread([this] { decide(); });
  return {};
}

Runner::~Runner() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& going : going_) {
      if (going.why_ended.empty()) going.why_ended = "interrupted";
      going.cancel.cancel();
    }
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  peer_.reset();
  caller_.reset();
}

void Runner::remember(Entry& entry, Remembered what) {
  if (entry.remembered == what) return;
  entry.remembered = what;
  if (auto kept = records_.set(entry.definition.id, std::move(what)); !kept) say(true, cat("task ", entry.definition.id, " could not be recorded: ", kept.error().message));
}

void Runner::decide() {
  Lock lock(mutex_);
  for (;;) {
    finish_done(lock);
    if (stopping_ && going_.empty()) return;
    if (configured_ && !stopping_) {
      notice_clock_jumps();
      const auto now = parts_.clock.wall_seconds();
      for (auto& [id, entry] : entries_) decide_due(entry, now);
      start_waiting();
      const auto monotonic = parts_.clock.monotonic().count();
      for (auto& going : going_)
        if (going.stop_at_ms != 0 && monotonic >= going.stop_at_ms && going.why_ended.empty()) {
          going.why_ended = "timed-out";
          going.cancel.cancel();
        }
    }
    look_ = false;
    wake_.wait_for(lock, until_next(), [&] { return look_ || (stopping_ && going_.empty()) || std::ranges::any_of(going_, [](const auto& going) { return going.done; }); });
  }
}

void Runner::notice_clock_jumps() {
  const auto wall = parts_.clock.wall_seconds(), monotonic = parts_.clock.monotonic().count();
  const auto jump = wall - seen_wall_ - (monotonic - seen_monotonic_ms_) / 1000;
  seen_wall_ = wall;
  seen_monotonic_ms_ = monotonic;
  if (jump >= -kJump && jump <= kJump) return;
  agent_start_ += jump;
  awake_since_ = wall;  // asleep, or set forward: what was to run in between was missed; set back: nothing lies before now
  outbreak_since_ = std::min(outbreak_since_, wall);
  lacking_since_ = std::min(lacking_since_, wall);
  for (auto& [id, entry] : entries_) {
    auto what = entry.remembered;
    what.first_seen = std::min(what.first_seen, wall);
    what.last_start = settled(what.last_start, wall);
    if (what.pending_at != 0 && jump < 0) what.pending_at += jump;
    remember(entry, what);
  }
}

void Runner::calculate(Entry& entry, std::int64_t now) {
  const auto& definition = entry.definition;
  entry.due = {};
  const bool is_update = definition.id == kUpdateTask;
  if (is_update) {
    if (!parts_.is_update_lacking || !parts_.is_update_lacking()) lacking_since_ = 0;
    else if (lacking_since_ == 0) lacking_since_ = now;
  }
  if (definition.enabled && definition.schedule.is_by_clock()) {
    const auto& remembered = entry.remembered;
    const Moment moment{now,
                        agent_start_,
                        awake_since_,
                        remembered.first_seen,
                        remembered.last_start,
                        spread_of(options_.device, definition.id),
                        entry.ran_since_start,
                        outbreak_,
                        outbreak_since_,
                        is_update ? lacking_since_ : 0};
    entry.due = next_run(definition.schedule, moment, parts_.zone);
  }
  if (is_update && entry.due.at != told_update_at_ && parts_.update_runs_at) parts_.update_runs_at(told_update_at_ = entry.due.at);
}

void Runner::decide_due(Entry& entry, std::int64_t now) {
  calculate(entry, now);
  const auto& definition = entry.definition;
  if (entry.running || !entry.waiting.empty()) return;
  if (entry.due.at != 0 && entry.due.at <= now) {
    make_wait(entry, definition.schedule.kind == Schedule::Kind::at_start ? "start" : entry.due.missed ? "missed" : "schedule");
  } else if (entry.remembered.pending_at != 0 && entry.remembered.pending_at <= now && definition.enabled) {
    make_wait(entry, entry.remembered.pending_why);
  }
}

void Runner::make_wait(Entry& entry, std::string trigger) {
  entry.waiting = std::move(trigger);
  entry.turn = ++turns_;
}

std::chrono::milliseconds Runner::until_next() const {
  const auto now = parts_.clock.wall_seconds();
  auto wait = options_.tick;
  for (const auto& [id, entry] : entries_) {
    if (entry.running || !entry.waiting.empty()) continue;
    for (const auto at : {entry.due.at, entry.definition.enabled ? entry.remembered.pending_at : 0})
      if (at != 0) wait = std::min<std::chrono::milliseconds>(wait, std::chrono::milliseconds(std::clamp<std::int64_t>(at - now, 0, 3600) * 1000 + 10));
  }
  const auto monotonic = parts_.clock.monotonic().count();
  for (const auto& going : going_)
    if (going.stop_at_ms != 0 && going.why_ended.empty()) wait = std::min(wait, std::chrono::milliseconds(std::max<std::int64_t>(going.stop_at_ms - monotonic, 0) + 1));
  return wait;
}

const Work* Runner::host_work_of(std::string_view type) const {
  for (const auto& work : work_)
    if (work->type() == type) return work.get();
  return nullptr;
}

Runner::Entry* Runner::find(std::string_view id) {
  const auto found = entries_.find(id);
  return found == entries_.end() ? nullptr : &found->second;
}

Runner::Going* Runner::going_of(std::string_view id) {
  const auto found = std::ranges::find_if(going_, [&](const auto& going) { return going.run.task() == id; });
  return found == going_.end() ? nullptr : &*found;
}

std::vector<std::string> Runner::problems() const {
  std::vector<std::string> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    const auto& result = entry.last.result();
    if (entry.definition.type == "update" || entry.definition.type == "rollback") continue;  // the update engine says it better
    if (result == "failed" || result == "timed-out" || result == "partial" || result == "unsupported")
      out.push_back(cat("task ", id, ": ", result, entry.last.text().empty() ? "" : ": ", entry.last.text()));
  }
  return out;
}

}  // namespace picket::tasks
