// How a plugin gets another version without a gap: started beside the one that runs, watched for a while, then put in its place.
#include <algorithm>
#include <utility>

#include "core/clock.hpp"
#include "plugin_host/isolated.hpp"
#include "plugin_host/plugin.hpp"
#include "plugin_host/plugin_events.hpp"
#include "plugin_host/topic_limits.hpp"

namespace picket::plugin_host {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLookAtLeaving{20};

std::string failure_of(const SelfReport& said) { return cat("is failed", said.shown().text.empty() ? "" : ": ", said.shown().text); }

}  // namespace

Result<VerifiedPackage> Plugin::verify_place(const Place& place) const {
  std::string ignored;
  if (place.root.empty()) return verify_newest(ignored, std::nullopt);
  PICKET_LET(wanted, verify(place.root, id_, place.version, {all_.options.keys, all_.options.require_root_owner}));
  // What the administrator installed himself and is newer stays; not what this agent cannot run.
  if (auto installed = verify_newest(ignored, std::nullopt);
      installed && package::compare_versions(installed->manifest.version, place.version) > 0 && check_needs(installed->manifest))
    return installed;
  return std::move(wanted);
}

void Plugin::start_beside(const Place& place, PluginHost::OnBeside on_started, std::function<void(Result<Beside>)> done) {
  if (next_) return done(fail(Code::busy, cat(id_, ": another version of it is being tried")));
  if (is_disabled()) return done(Beside::not_needed);
  next_ = std::make_unique<Next>();
  next_->on_started = std::move(on_started);
  next_->done = std::move(done);
  if (auto made = make_next(place); !made) next_failed(made.error().message);
}

Result<> Plugin::make_next(const Place& place) {
  auto& next = *next_;
  PICKET_LET(found, verify_place(place));
  next.package = std::make_shared<VerifiedPackage>(std::move(found));
  const auto& manifest = next.package->manifest;
  {
    const std::lock_guard lock(mutex_);
    if (package_ != nullptr && package_->manifest_json == next.package->manifest_json && status_.state == State::running) {
      package_ = next.package;  // the same bytes from another folder: nothing to do but to remember where they lie
      status_.pending.clear();
      next.stage = Next::Stage::ready;
    }
  }
  if (next.stage == Next::Stage::ready) {
    const auto done = std::move(next.done);
    next_.reset();
    done(Beside::not_needed);
    return {};
  }
  PICKET_TRY(check_needs(manifest));
  next.home = home_of(manifest);
  auto settings = all_.settings_for(id_, manifest.settings_schema);
  if (!settings) return fail(std::move(settings).error(), "its settings");
  next.settings = std::move(*settings);
  next.events = std::make_shared<Events>(*this, all_.parts.log.part("plugin." + id_));
  next.events->become(Events::Role::beside);
  if (!next.is_beside()) {
    next.stage = Next::Stage::trying;
    arm_next(all_.options.trial_deadline);
    PICKET_LET(trial, Trial::start(all_.parts.io, {all_.options.child_program, next.package->library.get(), id_, next.home == Home::in_process},
                                   [events = next.events](Result<> result) { events->tried(std::move(result)); }));
    next.trial = std::move(trial);
    return {};
  }
  IsolatedOptions options{all_.options.child_program, next.package->library.get(), narrowed(manifest, next.settings.topics), all_.options.storage_dir / id_, all_.options.ping_period, standing(), true};
  PICKET_LET(instance, make_isolated(std::move(options), all_.parts, next.events));
  next.instance = std::move(instance);
  arm_next(all_.options.start_deadline);
  next.instance->start(next.settings);
  return {};
}

void Plugin::next_tried(const Result<>& result) {
  if (!result) return next_failed(result.error().message);
  arm_next(milliseconds(0));
  next_->stage = Next::Stage::ready;
  next_->trial.reset();
  answer_next(next_->home == Home::in_process ? Beside::at_next_start : Beside::in_order);
}

void Plugin::next_started(const Result<>& result) {
  if (!result) return next_failed(result.error().message);
  if (next_->said.shown().health == Health::unknown) next_->said.reported(Health::healthy, "");
  if (!next_->instance->can_apply()) next_->observed_revision = next_->settings.revision;
  next_->stage = Next::Stage::proving;
  arm_next(all_.options.replacing.prove_for);
  if (!next_->on_started) return;
  std::vector<Demand> demands;
  for (const auto& demand : next_->package->manifest.demands) demands.push_back({demand.component, demand.component_class, id_, true});
  next_->on_started(id_, demands);
}

void Plugin::next_observed(std::uint64_t revision, Health health, std::string text) {
  next_->said.observed(health, std::move(text));
  next_->observed_revision = std::max(next_->observed_revision, revision);
  next_said();
}

void Plugin::next_health_changed(Health health, std::string text) {
  next_->said.reported(health, std::move(text));
  next_said();
}

void Plugin::next_said() {
  if (next_->stage == Next::Stage::ready && next_->said.shown().health == Health::failed) return next_failed(failure_of(next_->said));
  if (next_->stage == Next::Stage::proving && next_->is_proved) judge_next();
}

// Better than what runs it need not be: where the old one is degraded, for what lies outside of it, the new one may be so too.
void Plugin::judge_next() {
  const auto now = status();
  const auto health = next_->said.shown().health;
  const bool is_good = health == Health::healthy || (health == Health::degraded && (now.state != State::running || now.health != Health::healthy));
  if (!is_good) return;
  next_->stage = Next::Stage::ready;
  arm_next(milliseconds(0));
  answer_next(Beside::ready);
}

void Plugin::next_due() {
  if (next_->stage == Next::Stage::trying) return next_failed("hangs while it is loaded on trial");
  if (next_->stage == Next::Stage::starting) return next_failed(cat("did not start within ", std::to_string(all_.options.start_deadline.count()), " ms"));
  if (next_->stage != Next::Stage::proving) return;
  const auto& rule = all_.options.replacing;
  if (!next_->is_proved) {
    next_->is_proved = true;
    if (next_->said.shown().health == Health::failed) return next_failed(failure_of(next_->said));
    arm_next(std::max(rule.healthy_within - rule.prove_for, milliseconds(1)));
    return judge_next();
  }
  const auto& [health, text] = next_->said.shown();
  next_failed(cat("is ", to_string(health), text.empty() ? "" : cat(" (", text, ")"), ", and was not healthy within ",
                  std::to_string(rule.healthy_within.count()), " ms"));
}

void Plugin::next_failed(const std::string& why) {
  if (!next_) return;
  arm_next(milliseconds(0));
  auto gone = std::move(*next_);
  next_.reset();
  if (gone.events != nullptr) gone.events->retire();
  gone.trial.reset();
  gone.instance.reset();
  const auto text = cat(id_, gone.package != nullptr ? cat(" ", gone.package->manifest.version) : "", ": ", why);
  all_.parts.log.part("plugin." + id_).warning("not taken: ", text);
  if (status().version.empty()) change([&](Status& status) { status.state = State::stopped, status.text = cat("not taken: ", text); });
  if (gone.done) gone.done(fail(Code::conflict, text));
}

void Plugin::end_beside(const std::string& why) { next_failed(why); }

void Plugin::answer_next(Result<Beside> result) {
  if (const auto done = std::exchange(next_->done, nullptr)) done(std::move(result));
}

Result<> Plugin::take_over() {
  if (!next_ || next_->stage != Next::Stage::ready) return fail(Code::conflict, cat(id_, ": the new version did not stay well until it could take over"));
  auto next = std::move(*next_);
  next_.reset();
  arm_next(milliseconds(0));
  const auto& version = next.package->manifest.version;
  if (next.home == Home::in_process) {
    next.events->retire();
    change([&](Status& status) { status.pending = version; });
    return {};
  }
  if (!next.is_beside()) {
    next.events->retire();
    left();
    if (status().version.empty()) start();
    else restart();
    return {};
  }
  if (auto taken = next.instance->take_over(); !taken) {
    next.events->retire();
    return fail(std::move(taken).error(), id_);
  }
  finish_apply(Health::failed, "another version took over", false);
  disarm();
  left();  // one that still leaves since an earlier change has had its time
  trial_.reset();
  leaving_ = Leaving{std::exchange(events_, next.events), nullptr, all_.parts.clock.monotonic() + all_.options.replacing.drain};
  if (leaving_->events != nullptr) leaving_->events->become(Events::Role::leaving);
  events_->become(Events::Role::present);
  back_off_.forget();
  again_ = false;
  settings_ = next.settings;
  said_ = next.said;
  const auto was = status().version;
  {
    const std::lock_guard lock(mutex_);
    leaving_->instance = std::exchange(instance_, std::shared_ptr<Instance>(std::move(next.instance)));
    package_ = next.package;
    settings_json_ = settings_->json;
  }
  all_.parts.log.part("plugin." + id_).info("version ", version, " takes over", was.empty() ? "" : cat(" from ", was));
  change([&](Status& status) {
    status.version = version;
    status.vendor = next.package->manifest.vendor;
    status.home = next.home;
    status.state = State::running;
    status.health = said_.shown().health;
    status.text = said_.shown().text;
    status.pending.clear();
    status.passed_over.clear();
    status.next_attempt = 0;
    status.since = all_.parts.clock.wall_seconds();
    status.expected_revision = settings_->revision;
    status.observed_revision = next.observed_revision;
    status.pid = instance_->pid();
    status.leaving_pid = leaving_->instance != nullptr ? leaving_->instance->pid() : 0;
  });
  let_leave();
  tell_settled();  // of a restart that was still under way
  return {};
}

// ---- the one before ----

void Plugin::let_leave() {
  if (!leaving_) return;
  if (leaving_->instance == nullptr || leaving_->is_stopping) return left();  // nothing there, or it does not stop
  auto wait = kLookAtLeaving;
  const bool is_idle = leaving_->instance->leave_if_idle();
  if (is_idle || all_.parts.clock.monotonic() > leaving_->until) {
    if (!is_idle) all_.parts.log.part("plugin." + id_).warning("the version before did not answer all that it was asked in time");
    leaving_->is_stopping = true;
    // Nothing waits for it, and it may have clients that are none of the bus.
    const auto deadline = std::max(all_.options.replacing.drain, all_.options.stop_deadline);
    leaving_->instance->stop(deadline);
    wait = deadline + milliseconds(250);
  }
  leave_timer_ = all_.parts.timers.start(wait, milliseconds(0), [this, generation = ++leave_generation_] {
    all_.worker.post([this, generation] {
      if (generation == leave_generation_) let_leave();
    });
  });
}

void Plugin::left() {
  ++leave_generation_;
  if (leave_timer_ != 0) all_.parts.timers.cancel(std::exchange(leave_timer_, 0));
  if (!leaving_) return;
  const auto gone = std::move(*leaving_);
  leaving_.reset();
  if (gone.events != nullptr) gone.events->retire();
  change([](Status& status) { status.leaving_pid = 0; });
}

void Plugin::arm_next(milliseconds delay) {
  ++next_generation_;
  if (next_timer_ != 0) all_.parts.timers.cancel(std::exchange(next_timer_, 0));
  if (delay == milliseconds(0)) return;
  next_timer_ = all_.parts.timers.start(delay, milliseconds(0), [this, generation = next_generation_] {
    all_.worker.post([this, generation] {
      if (generation == next_generation_ && next_) next_due();
    });
  });
}

}  // namespace picket::plugin_host
