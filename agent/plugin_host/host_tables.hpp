// The host's C tables as one plugin instance sees them. The only place that turns C arguments into C++ ones.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <picket/ext/bus.h>
#include <picket/ext/health.h>
#include <picket/ext/settings.h>
#include <picket/ext/storage.h>
#include <picket/ext/timer.h>

#include "plugin_host/host_calls.hpp"

namespace picket::plugin_host {

// Every extension this host has; each by its id.
[[nodiscard]] const std::vector<std::string>& known_extensions();

// One line of valid UTF-8 without control characters, or what can be saved of it; at most 4096 bytes.
[[nodiscard]] std::string clean_line(std::string_view text);

// Kept for ever once a plugin has seen it: a thread that the plugin forgot still finds a table, which answers DENIED.
class HostTables {
 public:
  // extensions: what get_extension answers to (a subset of known_extensions).
  HostTables(std::shared_ptr<HostCalls> calls, std::vector<std::string> extensions);
  HostTables(const HostTables&) = delete;
  HostTables& operator=(const HostTables&) = delete;

  [[nodiscard]] const picket_host* host() const { return &host_; }

  // Host calls are DENIED before open() and after close(), which waits for those that are under way on other threads.
  void open();
  void close();

  // Between these two the calling thread is the plugin thread: set_error is heard. Gives the text of set_error, which is then forgotten.
  void enter_plugin();
  [[nodiscard]] std::string leave_plugin();

  class Inside;  // one host call under way (implementation)

 private:
  friend struct HostFunctions;
  static HostTables& of(const picket_host* host) { return *static_cast<HostTables*>(host->ctx); }
  [[nodiscard]] const void* extension(std::string_view id) const;

  picket_host host_{};
  picket_host_bus bus_{};
  picket_host_settings settings_{};
  picket_host_storage storage_{};
  picket_host_timer timer_{};
  picket_host_health health_{};

  const std::shared_ptr<HostCalls> calls_;
  const std::vector<std::string> extensions_;
  std::atomic<bool> is_open_{false};
  std::atomic<std::uint32_t> inside_{0};
  std::atomic<std::thread::id> plugin_thread_{};
  std::string error_;  // plugin thread only
};

}  // namespace picket::plugin_host
