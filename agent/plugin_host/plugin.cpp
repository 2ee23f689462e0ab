#include "plugin_host/plugin.hpp"

#include <algorithm>

#include <fcntl.h>

#include "base/files.hpp"
#include "bus/names.hpp"
#include "core/clock.hpp"
#include "plugin_host/host_tables.hpp"
#include "plugin_host/in_process.hpp"
#include "plugin_host/isolated.hpp"
#include "plugin_host/library.hpp"
#include "plugin_host/plugin_events.hpp"
#include "plugin_host/topic_limits.hpp"

namespace picket::plugin_host {

using std::chrono::milliseconds;

Plugin::Plugin(const Supervision& supervision, std::string id) : all_(supervision), id_(std::move(id)) {
  status_.id = id_;
  status_.since = all_.parts.clock.wall_seconds();
}

Plugin::~Plugin() {
  end_beside("the plugin host is stopping");
  left();
  disarm();
  drop();
}

bool Plugin::is_disabled() const {
  const auto& disabled = all_.options.disabled;
  return std::find(disabled.begin(), disabled.end(), id_) != disabled.end();
}

void Plugin::start() {
  if (is_disabled())
    return change([](Status& status) { status.state = State::stopped, status.text = "disabled by the administrator"; });
  look();
}

void Plugin::stop() {
  end_beside("the plugin host is stopping");
  left();
  again_ = false;
  take(Event::stop_wanted, "");
}

void Plugin::restart() {
  end_beside("the plugin was restarted");
  failures_.clear();
  settings_.reset();
  again_ = true;
  take(Event::restart_wanted, "");
}

// The only place where a state changes, but for the first look.
void Plugin::take(Event event, std::string text) {
  const auto* row = find_transition(status().state, event);
  if (row == nullptr) return;
  disarm();
  change([&](Status& status) {
    status.state = row->to;
    status.text = text;
    if (row->to != State::running) status.health = Health::unknown;
    status.next_attempt = 0;
  });
  run(row->action, text);
  tell_settled();
}

void Plugin::tell_settled() {
  if (is_settled())
    for (const auto& tell : std::exchange(when_settled_, {})) tell(status());
}

void Plugin::when_settled(PluginHost::OnSettled tell) {
  if (is_settled()) return tell(status());
  when_settled_.push_back(std::move(tell));
}

void Plugin::run(Action action, const std::string& text) {
  switch (action) {
    case Action::none: break;
    case Action::look_again: return look();
    case Action::launch: return launch();
    case Action::settle: return check_apply();
    case Action::ask_stop:
      arm(all_.options.stop_deadline + milliseconds(250), Event::deadline, "did not stop in time");
      if (instance_ != nullptr) return instance_->stop(all_.options.stop_deadline);
      return take(Event::stopped, "");
    case Action::drop: drop(); break;
    case Action::drop_and_wait: drop(); [[fallthrough]];
    case Action::wait: back_off_or_give_up(text); break;
  }
  const auto state = status().state;
  if (state == State::refused || state == State::backing_off || state == State::failed || state == State::stopped)
    if (!(again_ && state == State::stopped)) finish_apply(Health::failed, text.empty() ? "it is not running" : text, false);
  if (state == State::stopped && std::exchange(again_, false)) {
    again_ = false;
    take(Event::restart_wanted, "");
  }
}

void Plugin::look() {
  again_ = false;
  change([](Status& status) { status.state = State::verifying, status.text.clear(); });
  std::string passed_over;
  auto found = verify_newest(passed_over, all_.chosen(id_));
  if (!found) return take(Event::refused, found.error().message);
  const auto& manifest = found->manifest;
  const bool in_process = home_of(manifest) == Home::in_process;
  const auto needs = check_needs(manifest);
  if (needs && !passed_over.empty()) all_.parts.log.part("plugin." + id_).warning("runs as version ", manifest.version, ", because ", passed_over);
  {
    const std::lock_guard lock(mutex_);
    status_.version = manifest.version;
    status_.vendor = manifest.vendor;
    status_.home = in_process ? Home::in_process : Home::isolated;
    status_.pending.clear();
    package_ = std::make_shared<VerifiedPackage>(std::move(*found));
  }
  if (!needs) return take(Event::refused, needs.error().message);
  // What was loaded once went through its trial; an isolated child is its own.
  if (!in_process || package_->manifest.sha256 == loaded_sha256_) return take(Event::accepted, "");
  try_out();
}

Home Plugin::home_of(const package::Manifest& manifest) const {
  const auto& granted = all_.options.in_process;
  const bool may = manifest.preferred == package::Isolation::in_process && manifest.minimum == package::Isolation::in_process;
  return may && std::find(granted.begin(), granted.end(), id_) != granted.end() ? Home::in_process : Home::isolated;
}

Standing Plugin::standing() const {
  const auto& granted = all_.options.stand_in;
  return is_own_plugin(id_) || std::find(granted.begin(), granted.end(), id_) != granted.end() ? Standing::own : Standing::stranger;
}

Result<VerifiedPackage> Plugin::verify_newest(std::string& passed_over, const std::optional<Place>& chosen) const {
  struct Candidate {
    const std::filesystem::path* root;
    std::string version;
  };
  std::vector<Candidate> candidates;
  std::string first_error;
  for (const auto& root : all_.options.folders) {
    auto versions = find_versions(root, id_);
    if (!versions) {
      if (versions.error().code != Code::not_found && first_error.empty()) first_error = versions.error().message;
      continue;
    }
    for (auto& version : *versions) candidates.push_back({&root, std::move(version)});
  }
  if (chosen) candidates.push_back({&chosen->root, chosen->version});
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return package::compare_versions(a.version, b.version) > 0; });
  std::optional<VerifiedPackage> wants_more;  // than this agent has: shown when there is nothing that runs
  for (const auto& candidate : candidates) {
    auto verified = verify(*candidate.root, id_, candidate.version, {all_.options.keys, all_.options.require_root_owner});
    const auto usable = verified ? check_needs(verified->manifest) : fail(verified.error());
    if (usable) return verified;
    if (verified && !wants_more) wants_more = std::move(*verified);
    const auto text = cat("version ", candidate.version, " is refused: ", usable.error().message);
    if (first_error.empty()) first_error = text;
    passed_over += passed_over.empty() ? text : cat("; ", text);
  }
  if (wants_more) return std::move(*wants_more);
  if (first_error.empty()) first_error = cat("no version of it is installed: a package lies in ", id_, "/MAJOR.MINOR.PATCH");
  return fail(Code::untrusted, first_error);
}

Result<> Plugin::check_needs(const package::Manifest& manifest) const {
  if (manifest.abi_major != PICKET_ABI_MAJOR || manifest.abi_minor_needed > PICKET_ABI_MINOR)
    return fail(Code::unsupported, cat("needs version ", std::to_string(manifest.abi_major), ".", std::to_string(manifest.abi_minor_needed),
                                       " of the contract, this agent has ", std::to_string(PICKET_ABI_MAJOR), ".", std::to_string(PICKET_ABI_MINOR)));
  for (const auto& extension : manifest.requires_extensions)
    if (const auto& known = known_extensions(); std::find(known.begin(), known.end(), extension) == known.end())
      return fail(Code::unsupported, cat("needs the extension ", extension, ", which this agent does not have"));
  if (!manifest.minimum_agent.empty() && package::compare_versions(PICKET_VERSION, manifest.minimum_agent) < 0)
    return fail(Code::unsupported, cat("needs agent ", manifest.minimum_agent, ", this is ", PICKET_VERSION));
  return manifest.check_topics(standing());
}

void Plugin::try_out() {
  events_ = std::make_shared<Events>(*this, all_.parts.log.part("plugin." + id_));
  arm(all_.options.trial_deadline, Event::deadline, "hangs while it is loaded on trial");
  auto trial = Trial::start(all_.parts.io, {all_.options.child_program, package_->library.get(), id_, true},
                            [events = events_](Result<> result) { events->tried(std::move(result)); });
  if (!trial) return take(Event::refused, trial.error().message);
  trial_ = std::move(*trial);
}

void Plugin::launch() {
  drop();
  if (!settings_) {
    auto settings = all_.settings_for(id_, package_->manifest.settings_schema);
    if (!settings) return take(Event::refused, cat("its settings: ", settings.error().message));
    settings_ = std::move(*settings);
  }
  change([&](Status& status) {
    status.restarts = starts_;
    status.expected_revision = settings_->revision;
    settings_json_ = settings_->json;
  });
  ++starts_;
  said_ = {};
  events_ = std::make_shared<Events>(*this, all_.parts.log.part("plugin." + id_));
  if (auto made = make_instance(); !made) {
    // No process, no memory: worth trying again. A topic of the wrong kind, a library that does not load: not.
    const bool for_now = made.error().code == Code::io || made.error().code == Code::no_space || made.error().code == Code::busy;
    return take(for_now ? Event::start_failed : Event::refused, made.error().message);
  }
  change([&](Status& status) { status.pid = instance_->pid(); });
  arm(all_.options.start_deadline, Event::deadline,
      cat("did not start within ", std::to_string(all_.options.start_deadline.count()), " ms"));
  instance_->start(*settings_);
}

Result<> Plugin::make_instance() {
  const auto storage = all_.options.storage_dir / id_;
  // Of an instance that was killed; not while another one lives, which may be writing.
  if (!next_ && !leaving_) remove_leftovers(storage);
  auto manifest = narrowed(package_->manifest, settings_->topics);
  std::unique_ptr<Instance> made;
  if (status().home == Home::in_process) {
    if (entry_ == nullptr || loaded_sha256_ != package_->manifest.sha256) {
      UniqueFd sealed(::fcntl(package_->library.get(), F_DUPFD_CLOEXEC, 3));
      if (!sealed) return fail_errno("duplicate descriptor");
      PICKET_LET(entry, load_library(std::move(sealed)));
      entry_ = entry;
      loaded_sha256_ = package_->manifest.sha256;
    }
    PICKET_LET(instance, make_in_process({entry_, std::move(manifest), storage, standing()}, all_.parts, events_));
    made = std::move(instance);
  } else {
    IsolatedOptions options{all_.options.child_program, package_->library.get(), std::move(manifest), storage, all_.options.ping_period, standing()};
    PICKET_LET(instance, make_isolated(std::move(options), all_.parts, events_));
    made = std::move(instance);
  }
  const std::lock_guard lock(mutex_);
  instance_ = std::move(made);
  return {};
}

void Plugin::drop() {
  if (events_ != nullptr) events_->retire();
  trial_.reset();
  std::shared_ptr<Instance> gone;
  {
    const std::lock_guard lock(mutex_);
    gone = std::move(instance_);
    status_.pid = 0;
  }
  gone.reset();  // not under the lock: it waits for a running call, for a moment
}

void Plugin::back_off_or_give_up(const std::string& text) {
  if (std::exchange(is_hung_, false))
    return take(Event::too_many, cat(text, "; inside picketd it cannot be ended, only a restart of picketd gets rid of it"));
  const auto& rule = all_.options.restart;
  const auto now = all_.parts.clock.monotonic();
  failures_.push_back(now);
  while (now - failures_.front() > rule.window) failures_.pop_front();
  if (failures_.size() > rule.tries)
    return take(Event::too_many, cat(text, " (given up after ", std::to_string(failures_.size()), " failures)"));
  auto delay = rule.first;
  for (std::size_t i = 1; i < failures_.size() && delay < rule.most; ++i) delay *= 2;
  delay = std::min(delay, rule.most);
  change([&](Status& status) {
    status.next_attempt = all_.parts.clock.wall_seconds() + (delay.count() + 999) / 1000;
  });
  arm(delay, Event::retry_due, "");
}

void Plugin::arm(milliseconds delay, Event event, std::string text) {
  disarm();
  timer_ = all_.parts.timers.start(delay, milliseconds(0), [this, event, text = std::move(text), generation = timer_generation_] {
    all_.worker.post([this, event, text, generation] {
      if (generation != timer_generation_) return;
      // In process a stuck call can be named; an isolated one is ended, whatever it does.
      const char* in = instance_ != nullptr && event == Event::deadline ? instance_->stuck_in() : nullptr;
      is_hung_ = in != nullptr;
      take(event, is_hung_ ? cat(text, ": stuck in ", in) : text);
    });
  });
}

void Plugin::disarm() {
  ++timer_generation_;
  if (timer_ != 0) all_.parts.timers.cancel(std::exchange(timer_, 0));
}

void Plugin::started(Result<> result) {
  if (!result) return take(Event::start_failed, result.error().message);
  if (status().state != State::starting) return;
  // What it said of itself within start() came before this.
  if (said_.shown().health == Health::unknown) health_changed(Health::healthy, "");
  if (!instance_->can_apply()) change([](Status& status) { status.observed_revision = status.expected_revision; });
  const auto before = status();
  take(Event::started, before.text);
}

void Plugin::observed(std::uint64_t revision, Health health, std::string text) {
  said_.observed(health, std::move(text));
  change([&](Status& status) { status.observed_revision = revision; });
  show_said();
  if (applying_ && !applying_->by_restart && applying_->settings.revision == revision) {
    applying_->observed = true;
    check_apply();
  }
}

void Plugin::health_changed(Health health, std::string text) {
  said_.reported(health, std::move(text));
  show_said();
}

void Plugin::show_said() {
  change([&](Status& status) {
    status.health = said_.shown().health;
    if (status.state == State::running || status.state == State::starting) status.text = said_.shown().text;
  });
}

void Plugin::overran(const std::string& what, milliseconds so_far) {
  {
    const std::lock_guard lock(mutex_);
    ++overruns_;
  }
  const auto text = cat(what, " has been running for ", std::to_string(so_far.count()), " ms, ",
                        std::to_string(package_->manifest.limits.callback_ms), " are allowed");
  if (status().home == Home::isolated) return take(Event::overran, text);
  // It cannot be ended inside this process; all that is its own is already apart from others.
  health_changed(Health::degraded, text);
}

// ---- settings ----

void Plugin::apply(const Settings& settings, std::function<void(Outcome)> done) {
  finish_apply(Health::failed, "newer settings came", false);
  const bool other_topics = settings.topics != (settings_ ? settings_->topics : TopicLimits());
  settings_ = settings;
  const auto state = status().state;
  if (other_topics) {
    end_beside("the policy changed its topics");
    // Nothing that was taken away is said or heard while it stops, nor counts what it last said; what was given back comes with the start.
    const auto allow = package_ == nullptr ? bus::AllowList() : peer_options(narrowed(package_->manifest, settings.topics), standing()).allow;
    if (leaving_ && leaving_->instance != nullptr) leaving_->instance->narrow(allow);  // nor by the version before it
    if (instance_ != nullptr) instance_->narrow(allow);
    else if (package_ != nullptr && settings.topics.publishes)
      for (const auto& published : package_->manifest.topics.publishes)
        if (!bus::is_within_any(published.topic, *settings.topics.publishes)) all_.parts.router.withdraw(published.topic, id_);
  }
  change([&](Status& status) {
    status.expected_revision = settings.revision;
    settings_json_ = settings.json;
  });
  if (state != State::running && state != State::starting) {
    // It takes them at its next start.
    return done({id_, settings.revision, settings.revision, Health::healthy, cat("not running (", to_string(state), "); takes effect at its next start")});
  }
  applying_ = Applying{settings, std::move(done)};
  if (state == State::running && !other_topics && instance_->can_apply()) return instance_->apply(settings);
  applying_->by_restart = true;
  again_ = true;
  take(Event::restart_wanted, other_topics ? "its topics changed" : "new settings");
}

void Plugin::applied(std::uint64_t revision, Result<> result) {
  if (!applying_ || applying_->by_restart || applying_->settings.revision != revision) return;
  if (!result) return finish_apply(Health::failed, result.error().message, false);
  applying_->applied = true;
  check_apply();
}

void Plugin::check_apply() {
  if (!applying_) return;
  if (applying_->by_restart) {
    if (status().state != State::running) return;
    change([&](Status& status) { status.observed_revision = std::max(status.observed_revision, applying_->settings.revision); });
  } else if (!applying_->applied || !applying_->observed) {
    return;
  }
  const auto& said = said_.of_settings();
  finish_apply(said.health, said.text, true);
}

void Plugin::finish_apply(Health health, std::string text, bool in_force) {
  if (!applying_) return;
  auto applying = std::move(*applying_);
  applying_.reset();
  const auto observed = in_force ? applying.settings.revision : std::min(status().observed_revision, applying.settings.revision == 0 ? 0 : applying.settings.revision - 1);
  applying.done({id_, applying.settings.revision, observed, health, std::move(text)});
}

void Plugin::give_up_apply() {
  if (applying_ && !applying_->by_restart && applying_->applied) return finish_apply(Health::failed, "took the settings, but did not say in time how it is with them", false);
  finish_apply(Health::failed, "did not take the settings in time", false);
}

// ---- for any thread ----

void Plugin::change(const std::function<void(Status&)>& edit) {
  Status after;
  {
    const std::lock_guard lock(mutex_);
    const auto before = status_.state;
    edit(status_);
    if (status_.state != before) status_.since = all_.parts.clock.wall_seconds();
    after = status_;
  }
  if (all_.on_change) all_.on_change(after);
}

Status Plugin::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

bool Plugin::is_settled() const {
  const auto state = status().state;
  return state != State::verifying && state != State::starting && state != State::stopping;
}

Info Plugin::info() const {
  Info out;
  std::shared_ptr<Instance> instance;
  {
    const std::lock_guard lock(mutex_);
    out.status = status_;
    out.settings_json = settings_json_;
    out.overruns = overruns_;
    instance = instance_;
    if (package_ != nullptr) {
      out.manifest_json = package_->manifest_json;
      out.path = package_->folder.native();
      out.signed_by = package_->signed_by;
    }
  }
  if (instance != nullptr) out.counters = instance->counters();
  return out;
}

std::vector<Demand> Plugin::demands() const {
  const std::lock_guard lock(mutex_);
  std::vector<Demand> out;
  if (package_ == nullptr || status_.state == State::refused) return out;
  for (const auto& demand : package_->manifest.demands) out.push_back({demand.component, demand.component_class, id_, status_.state == State::running, demand.optional});
  return out;
}

std::optional<std::string> Plugin::settings_schema() const {
  const std::lock_guard lock(mutex_);
  if (package_ == nullptr) return std::nullopt;
  return package_->manifest.settings_schema;
}

}  // namespace picket::plugin_host
