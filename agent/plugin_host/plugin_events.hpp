// From any thread to the supervisor's: what an instance or a trial tells, as long as it is the present one.
#pragma once

#include <atomic>
#include <string>
#include <utility>

#include "plugin_host/log_gate.hpp"
#include "plugin_host/plugin.hpp"
#include "runtime/log.hpp"

namespace picket::plugin_host {

class Plugin::Events final : public InstanceEvents, public std::enable_shared_from_this<Plugin::Events> {
 public:
  Events(Plugin& plugin, runtime::LogPart log) : plugin_(plugin), log_(log) {}

  void retire() { is_present_.store(false); }  // supervisor's thread: nothing posted earlier is heard any more

  void tried(Result<> result) {
    post([result = std::move(result)](Plugin& p) {
      p.take(result ? Event::accepted : Event::refused, result ? "" : result.error().message);
    });
  }
  void on_started(Result<> result) override {
    post([result = std::move(result)](Plugin& p) { p.started(result); });
  }
  void on_applied(std::uint64_t revision, Result<> result) override {
    post([revision, result = std::move(result)](Plugin& p) { p.applied(revision, result); });
  }
  void on_stopped(Result<> result) override {
    post([result = std::move(result)](Plugin& p) { p.take(Event::stopped, result ? "" : result.error().message); });
  }
  void on_observed(std::uint64_t revision, Health health, std::string text) override {
    post([revision, health, text = std::move(text)](Plugin& p) { p.observed(revision, health, text); });
  }
  void on_health(Health health, std::string text) override {
    // At most one is under way: a plugin that reports without end must not fill the supervisor's queue.
    {
      const std::lock_guard lock(mutex_);
      health_ = {health, std::move(text)};
      if (std::exchange(is_health_posted_, true)) return;
    }
    post([this](Plugin& p) {
      std::pair<Health, std::string> latest;
      {
        const std::lock_guard lock(mutex_);
        is_health_posted_ = false;
        latest = health_;
      }
      p.health_changed(latest.first, std::move(latest.second));
    });
  }
  void on_overrun(std::string what, std::chrono::milliseconds so_far) override {
    post([what = std::move(what), so_far](Plugin& p) { p.overran(what, so_far); });
  }
  void on_ended(Error why, bool refused) override {
    post([why = std::move(why), refused](Plugin& p) { p.take(refused ? Event::refused : Event::ended, why.message); });
  }
  void on_log(int level, std::string_view text) override {
    const auto suppressed = gate_.pass();
    if (!suppressed) return;
    if (*suppressed > 0) log_.warning(*suppressed, " lines of this plugin were suppressed: it writes too many");
    log_.put(level <= PICKET_LOG_DEBUG     ? runtime::Level::debug
             : level == PICKET_LOG_INFO    ? runtime::Level::info
             : level == PICKET_LOG_WARNING ? runtime::Level::warning
                                           : runtime::Level::error,
             text);
  }

 private:
  template <class Call>
  void post(Call call) {
    plugin_.all_.worker.post([self = shared_from_this(), call = std::move(call)] {
      if (self->is_present_.load()) call(self->plugin_);
    });
  }

  Plugin& plugin_;  // used on the supervisor's thread only, which ends before it
  const runtime::LogPart log_;
  LogGate gate_;
  std::atomic<bool> is_present_{true};
  std::mutex mutex_;
  std::pair<Health, std::string> health_;
  bool is_health_posted_ = false;
};

}  // namespace picket::plugin_host
