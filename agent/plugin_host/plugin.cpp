#include "plugin_host/plugin.hpp"

#include <algorithm>

#include <fcntl.h>

#include "base/files.hpp"
#include "core/clock.hpp"
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
  back_off_.forget();
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
  if (state == State::stopped && std::exchange(again_, false)) take(Event::restart_wanted, "");
}

void Plugin::launch() {
  drop();
  is_hung_ = false;
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
  if (is_hung_)
    return take(Event::too_many, cat(text, "; inside picketd it cannot be ended, only a restart of picketd gets rid of it"));
  const auto delay = back_off_.failed(all_.parts.clock.monotonic());
  if (!delay) return take(Event::too_many, cat(text, " (given up after ", std::to_string(back_off_.failures()), " failures)"));
  change([&](Status& status) {
    status.next_attempt = all_.parts.clock.wall_seconds() + (delay->count() + 999) / 1000;
  });
  arm(*delay, Event::retry_due, "");
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
