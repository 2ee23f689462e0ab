#include "update/engine_impl.hpp"

#include <algorithm>

#include "runtime/memory.hpp"
#include "base/machine.hpp"
#include "update/one_message.hpp"
#include "update/what_is_sent.hpp"

namespace picket::update {

namespace {

// Alone these say how the updates are. What was fetched in advance, handed on, judged or rolled back by hand is in the history, and each component
// says for itself what it lacks.
bool is_update(const v1::RunResult& run) { return run.kind() == "update"; }

}  // namespace

std::string_view Engine::settings_schema() { return settings_schema_text(); }

Result<> Engine::check_settings(std::string_view settings_json) {
  PICKET_TRY(parse_settings(settings_json));
  return {};
}

Result<std::unique_ptr<Engine>> Engine::open(Options options, Parts parts) {
  const auto data = options.data_dir;
  const Steps steps(options.at_step);
  PICKET_TRY(make_folders(data));
  PICKET_LET(lock, storage::FolderLock::take(data));
  PICKET_LET(counters, storage::Counters::open(data / "counters"));
  PICKET_LET(sets, SetStore::open({data / "sets", data / "staging", data / "shared"}, steps));
  PICKET_LET(ledger, Ledger::open(data / "journal", steps));
  PICKET_LET(downloads, Downloads::open(data / "downloads", steps));
  auto engine = std::make_unique<EngineImpl>(std::move(options), std::move(parts), std::move(lock), std::move(counters), std::move(sets), std::move(ledger),
                                             std::move(downloads), steps);
  PICKET_TRY(engine->start());
  return engine;
}

EngineImpl::EngineImpl(Options options, Parts parts, storage::FolderLock lock, storage::Counters counters, SetStore sets, Ledger ledger, Downloads downloads,
                       Steps steps)
    : options_(std::move(options)), parts_(std::move(parts)), lock_(std::move(lock)), counters_(std::move(counters)), steps_(std::move(steps)),
      sets_(std::move(sets)), ledger_(std::move(ledger)), downloads_(std::move(downloads)), history_(options_.data_dir / "history.jsonl", steps_),
      explain_(parts_.clock), sources_(parts_.clock), installation_(installation_id(options_.data_dir, machine_mark())) {}

Result<> EngineImpl::start() {
  if (auto known = history_.read(History::kMaxRuns); known && known->runs_size() > 0) {
    const auto& runs = known->runs();
    if (const auto last = std::ranges::find_if(runs, is_update); last != runs.end()) board_.set_last(*last);
    // Lost counters must not make run numbers begin again.
    if (counters_.get("run") < runs[0].run()) PICKET_TRY(counters_.raise("run", runs[0].run()));
  }
  bus::PeerOptions asking;
  asking.name = "picket.update.run";
  asking.allow.asks = {"picket.source.*", std::string(kActivateTopic)};
  PICKET_LET(caller, bus::Caller::attach(parts_.router, std::move(asking)));
  caller_ = std::move(caller);
  bus::PeerOptions options;
  options.name = "picket.update";
  options.allow.publishes = {{"picket.component.active", bus::Kind::state}, {"picket.update.finished", bus::Kind::event}};
  options.allow.subscribes = {"picket.update.variant"};
  options.allow.answers = {"picket.update.run",     "picket.update.status",  "picket.update.history",        "picket.update.rollback",      "picket.update.export", "picket.update.verdict",
                           "picket.update.explain", "picket.update.sources", "picket.update.source_outcome", "picket.update.what_is_sent", "picket.component.list"};
  options.allow.asks = {std::string(kActivateTopic)};
  PICKET_LET(peer, parts_.router.attach(std::move(options), *this));
  peer_ = std::move(peer);
  bus_.store(peer_.get());
  bus_.notify_all();

  explain_.begin(0);
  Activation activation(sets_, ledger_, parts_.clock);
  auto tell = [this](std::string_view component, std::string_view what) {
    explain_.say({.component = component}, what);  // the next run explains itself only
    if (parts_.warn) parts_.warn(cat(component, component.empty() ? "" : ": ", what));
  };
  if (ledger_.damaged_bytes() + counters_.damaged_bytes() > 0) tell("", "the journal was damaged on disk: what it lost was taken from the folders");
  PICKET_TRY(activation.recover(tell));
  auto shop = workshop();
  Run run(shop, nullptr, {});
  for (const auto& [component, record] : ledger_.records())
    run.show(component, !record.in_force.empty());  // what is refused is known also where nothing is in force
  if (const auto status = peer_->subscribe("picket.update.variant"); status != bus::kOk) return fail(Code::internal, "subscribe to picket.update.variant");
  thread_ = std::thread([this] { work(); });
  return {};
}

EngineImpl::~EngineImpl() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (current_cancel_) current_cancel_->cancel();
  }
  shutdown_.cancel();
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  peer_.reset();
  caller_.reset();
}

Workshop EngineImpl::workshop() {
  return {options_, parts_.clock, steps_, *caller_, sets_, ledger_, downloads_, counters_, sources_, explain_, board_, parts_.demands, [this] { return answerers(); },
          [this](const component::v1::ActiveSet& set) { announce(set); }, parts_.warn, warned_of_, checked_, installation_, shutdown_.token()};
}

std::vector<std::string> EngineImpl::answerers() const {
  for (const auto& topic : parts_.router.topics())
    if (topic.topic == kActivateTopic) return topic.answerers;
  return {};
}

Result<> EngineImpl::apply_settings(std::string_view settings_json) {
  PICKET_LET(settings, parse_settings(settings_json));
  sources_.configure(settings.sources, settings.rest_after_failure, settings.longest_rest, settings.longest_wish);
  board_.set_settings(std::move(settings));
  return {};
}

void EngineImpl::work() {
  for (;;) {
    std::optional<Job> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
      if (stopping_) break;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      current_cancel_.emplace();
      current_ = asker_of(*job);
    }
    perform(*job);
    runtime::return_memory();
    {
      const std::lock_guard lock(mutex_);
      current_ = 0;
      current_cancel_.reset();
    }
    hand_over_missed();
  }
  std::deque<Job> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(jobs_);
  }
  for (const auto& job : left) refuse(asker_of(job), Code::unavailable, "the agent is stopping");
}

void EngineImpl::perform(Job& job) {
  core::CancelToken cancel;
  bus::RequestId asker = 0;
  {
    const std::lock_guard lock(mutex_);
    cancel = current_cancel_->token();
    asker = current_;
  }
  Run::Progress progress;
  if (asker != 0)
    progress = [this, asker](const v1::Progress& message) {
      // Without credit a line of progress is lost, nothing more.
      (void)own_peer().stream_write(asker, message.SerializeAsString());
    };
  auto shop = workshop();
  Run run(shop, std::move(progress), cancel);
  auto note = [&](const v1::RunResult& result) {
    if (auto kept = history_.add(result); !kept) explain_.say({}, cat("the history could not be written: ", kept.error().message));
  };
  auto conclude = [&](v1::RunResult whole, const Asker& who, bool is_told = true) {
    const auto result = in_one_message(std::move(whole));
    const bool changes = is_update(result) || result.kind() == "rollback" || result.kind() == "verification";
    if (is_update(result)) board_.set_last(result);
    note(result);
    board_.set_step("idle", "");
    answer_result(who, result);
    if (changes && is_told) publish_finished(result);
  };
  // What cannot be done is no run: nothing of it is counted or remembered.
  auto is_possible = [&](const Result<>& checked, const Asker& who) {
    if (checked) return true;
    refuse(who.id, checked.error().code, checked.error().message);
    return false;
  };
  if (auto* update = std::get_if<RunJob>(&job)) {
    if (!is_possible(run.check_order(update->order), update->asker)) return;
    const auto result = run.update(update->order);
    // What is on trial is no news yet: told with the verdict.
    const bool is_held = update->order.trial() && std::ranges::any_of(result.components(), [&](const auto& one) { return one.result() == "updated" && ledger_.record(one.component()).is_on_trial(); });
    conclude(result, update->asker, !is_held);
  } else if (auto* verdict = std::get_if<VerdictJob>(&job)) {
    bool is_told = false;
    const auto result = run.verdict(verdict->order, [&](const v1::RunResult& passed) {
      publish_finished(passed);
      is_told = true;
    });
    board_.set_step("idle", "");
    if (result.components().empty()) answer_result(verdict->asker, result);  // nothing was on trial, nothing happened
    else conclude(result, verdict->asker, !is_told);
  } else if (auto* copy = std::get_if<ExportJob>(&job)) {
    conclude(run.export_to(copy->order), copy->asker);
  } else if (auto* back = std::get_if<RollbackJob>(&job)) {
    if (!is_possible(run.check_order(back->order), back->asker)) return;
    conclude(run.rollback(back->order), back->asker);
  } else if (auto* refused = std::get_if<RefusedJob>(&job)) {
    auto result = run.refused_at_start(refused->component, refused->set, refused->plugin, refused->why, refused->over);
    if (result) note(*result);
    board_.set_step("idle", "");
  } else if (auto* loaded = std::get_if<LoadedJob>(&job)) {
    if (auto result = run.loaded_at_start(loaded->component, loaded->set, loaded->text)) note(*result);
    board_.set_step("idle", "");
  }
}

}  // namespace picket::update
