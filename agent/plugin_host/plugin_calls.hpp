// Calls into one plugin instance: missing members, exceptions and error texts are dealt with here. The same in both homes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <picket/ext/bus.h>
#include <picket/ext/settings.h>
#include <picket/ext/timer.h>
#include <picket/plugin.h>

#include "base/result.hpp"
#include "plugin_host/call_watch.hpp"
#include "plugin_host/host_tables.hpp"

namespace picket::plugin_host {

struct Incoming {
  std::string_view topic, key, content_type, sender, payload;
  std::uint32_t timeout_ms = 0;
};

// All calls are [plugin-thread]: the owner sees to it that they never overlap. Hooks do nothing unless started.
class PluginCalls {
 public:
  // Makes the instance. The watch times hooks and apply; start and stop have deadlines of their own.
  [[nodiscard]] static Result<std::unique_ptr<PluginCalls>> create(const picket_entry& entry, const std::string& id, std::shared_ptr<HostTables> tables,
                                                                   CallWatch& watch);
  ~PluginCalls();  // does not destroy the instance: destroy() does
  PluginCalls(const PluginCalls&) = delete;
  PluginCalls& operator=(const PluginCalls&) = delete;

  [[nodiscard]] Result<> start(std::string_view settings_json, std::uint64_t revision);
  // Afterwards host calls are DENIED, whatever it answered.
  [[nodiscard]] Result<> stop(std::chrono::milliseconds deadline);
  void destroy();
  [[nodiscard]] bool is_started() const { return is_started_; }

  [[nodiscard]] bool can_apply() const { return settings_ != nullptr; }
  [[nodiscard]] Result<> apply(std::string_view settings_json, std::uint64_t revision);

  void on_message(const Incoming& message);
  void on_request(std::uint64_t request_id, const Incoming& request);
  void on_stream(std::uint64_t token, std::string_view chunk);
  void on_reply(std::uint64_t token, picket_status status, const Incoming& reply);
  void on_credit(std::uint64_t request_id, std::uint64_t bytes);
  void on_cancel(std::uint64_t request_id);
  void on_loss(std::string_view topic, std::uint64_t count);
  void on_timer(std::uint64_t timer_id);

 private:
  PluginCalls(std::shared_ptr<HostTables> tables, CallWatch& watch) : tables_(std::move(tables)), watch_(watch) {}
  [[nodiscard]] Result<> adopt(picket_plugin* plugin);
  template <class Call>
  [[nodiscard]] Result<> guarded(const char* what, Call&& call);
  template <class Call>
  void hook(const char* what, Call&& call);

  const std::shared_ptr<HostTables> tables_;
  CallWatch& watch_;
  picket_plugin* plugin_ = nullptr;
  const picket_plugin_bus* bus_ = nullptr;
  const picket_plugin_settings* settings_ = nullptr;
  const picket_plugin_timer* timer_ = nullptr;
  bool is_started_ = false;
};

// The text for a status without one: "denied", "status -77".
[[nodiscard]] std::string status_text(picket_status status);

}  // namespace picket::plugin_host
