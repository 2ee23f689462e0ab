// From any thread to the supervisor's: what an instance or a trial tells, as long as it is the present one.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "plugin_host/log_gate.hpp"
#include "plugin_host/plugin.hpp"
#include "runtime/log.hpp"

namespace picket::plugin_host {

class Plugin::Events final : public InstanceEvents, public std::enable_shared_from_this<Plugin::Events> {
 public:
  Events(Plugin& plugin, runtime::LogPart log) : plugin_(plugin), log_(log) {}

  // present: what runs; beside: a version that may take its place; leaving: it was taken over from; retired: nothing posted is heard any more.
  enum class Role { present, beside, leaving, retired };
  void become(Role role) { role_.store(role); }  // supervisor's thread
  void retire() { become(Role::retired); }

  void tried(Result<> result) {
    post([result = std::move(result)](Plugin& p, Role role) {
      if (role == Role::beside) return p.next_tried(result);
      p.take(result ? Event::accepted : Event::refused, result ? "" : result.error().message);
    });
  }
  void on_started(Result<> result) override {
    post([result = std::move(result)](Plugin& p, Role role) { role == Role::beside ? p.next_started(result) : p.started(result); });
  }
  void on_applied(std::uint64_t revision, Result<> result) override {
    post([revision, result = std::move(result)](Plugin& p, Role) { p.applied(revision, result); });
  }
  void on_stopped(Result<> result) override {
    post([result = std::move(result)](Plugin& p, Role role) {
      if (role == Role::leaving) return p.left();
      if (role == Role::present) p.take(Event::stopped, result ? "" : result.error().message);
    });
  }
  // At most one of each is under way: a plugin that reports without end must not fill the supervisor's queue.
  void on_observed(std::uint64_t revision, Health health, std::string text) override {
    if (keep(observed_, {revision, health, std::move(text)}))
      post([this](Plugin& p, Role role) {
        auto said = take(observed_);
        if (role == Role::beside) return p.next_observed(said.revision, said.health, std::move(said.text));
        if (role == Role::present) p.observed(said.revision, said.health, std::move(said.text));
      });
  }
  void on_health(Health health, std::string text) override {
    if (keep(health_, {0, health, std::move(text)}))
      post([this](Plugin& p, Role role) {
        auto said = take(health_);
        if (role == Role::beside) return p.next_health_changed(said.health, std::move(said.text));
        if (role == Role::present) p.health_changed(said.health, std::move(said.text));
      });
  }
  void on_overrun(std::string what, std::chrono::milliseconds so_far) override {
    post([what = std::move(what), so_far](Plugin& p, Role role) {
      if (role == Role::beside) return p.next_failed(cat(what, " has been running for ", std::to_string(so_far.count()), " ms"));
      if (role == Role::present) p.overran(what, so_far);
    });
  }
  void on_ended(Error why, bool refused) override {
    post([why = std::move(why), refused](Plugin& p, Role role) {
      if (role == Role::beside) return p.next_failed(why.message);
      if (role == Role::leaving) return p.left();
      p.take(refused ? Event::refused : Event::ended, why.message);
    });
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
      if (const auto role = self->role_.load(); role != Role::retired) call(self->plugin_, role);
    });
  }

  struct Said {
    std::uint64_t revision = 0;
    Health health = Health::unknown;
    std::string text;
  };
  struct Latest {
    Said said;
    bool is_posted = false;
  };
  [[nodiscard]] bool keep(Latest& latest, Said said) {
    const std::lock_guard lock(mutex_);
    latest.said = std::move(said);
    return !std::exchange(latest.is_posted, true);
  }
  [[nodiscard]] Said take(Latest& latest) {
    const std::lock_guard lock(mutex_);
    latest.is_posted = false;
    return std::move(latest.said);
  }

  Plugin& plugin_;  // used on the supervisor's thread only, which ends before it
  const runtime::LogPart log_;
  LogGate gate_;
  std::atomic<Role> role_{Role::present};
  std::mutex mutex_;
  Latest observed_, health_;
};

}  // namespace picket::plugin_host
