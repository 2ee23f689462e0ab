// How settings reach a plugin that runs: taken by itself, or with a restart where it cannot or where its topics change.
#include <algorithm>
#include <utility>

#include "bus/names.hpp"
#include "plugin_host/in_process.hpp"
#include "plugin_host/plugin.hpp"
#include "plugin_host/topic_limits.hpp"

namespace picket::plugin_host {

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
    // It takes them at its next start: now, where it may be for its settings that nothing starts it any more.
    const bool starts_now = state == State::refused || (state == State::failed && !is_hung_);
    done({id_, settings.revision, settings.revision, Health::unknown,
          cat("not running (", to_string(state), "); ", starts_now ? "is started again with them" : "takes effect at its next start")});
    if (!starts_now) return;
    back_off_.forget();
    return take(Event::restart_wanted, "new settings");
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

}  // namespace picket::plugin_host
