// One running (or starting, or stopping) plugin, wherever its home is.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "bus/bus.hpp"
#include "plugin_host/plugin_host.hpp"

namespace picket::plugin_host {

// What an instance tells its supervisor: any thread, never within a call of Instance; must be short (post it).
class InstanceEvents {
 public:
  virtual ~InstanceEvents() = default;
  virtual void on_started(Result<> result) = 0;
  virtual void on_applied(std::uint64_t revision, Result<> result) = 0;
  virtual void on_stopped(Result<> result) = 0;
  virtual void on_observed(std::uint64_t revision, Health health, std::string text) = 0;
  virtual void on_health(Health health, std::string text) = 0;
  virtual void on_overrun(std::string what, std::chrono::milliseconds so_far) = 0;
  // It ended without being asked to; nothing follows. refused: it never got as far as a whole instance, trying again is no use.
  virtual void on_ended(Error why, bool refused) = 0;
  virtual void on_log(int level, std::string_view text) = 0;
};

// Calls come from the supervisor's thread and return at once. The order is start, (apply)*, stop; any may be left out.
class Instance {
 public:
  // Ends it, whatever it is doing; no event follows the destructor. Bounded: a plugin that hangs in process is left behind.
  virtual ~Instance() = default;
  virtual void start(const Settings& settings) = 0;  // on_started or on_ended follows
  virtual void apply(const Settings& settings) = 0;  // on_applied follows
  virtual void stop(std::chrono::milliseconds deadline) = 0;  // on_stopped follows; nothing of the plugin is left then
  // Of one that was made to stand by: it answers and listens from here on. Code::conflict: it is gone.
  [[nodiscard]] virtual Result<> take_over() = 0;
  [[nodiscard]] virtual bool leave_if_idle() = 0;  // bus::Peer's
  virtual void narrow(const bus::AllowList& allow) = 0;  // bus::Peer's
  [[nodiscard]] virtual bool can_apply() const = 0;  // once started
  [[nodiscard]] virtual int pid() const = 0;         // 0: in process
  [[nodiscard]] virtual bus::PeerCounters counters() const = 0;
  [[nodiscard]] virtual const char* stuck_in() const = 0;  // the call that is running, or nullptr; for messages
};

}  // namespace picket::plugin_host
