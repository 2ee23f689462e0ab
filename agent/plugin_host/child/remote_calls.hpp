// A plugin's host calls in a child: checked here against the manifest's lists, then sent. picketd checks everything again.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "isolation/frames.hpp"
#include "plugin_host/child/outbox.hpp"
#include "plugin_host/host_calls.hpp"
#include "plugin_host/plugin_storage.hpp"

namespace picket::plugin_host::child {

class RemoteCalls final : public HostCalls {
 public:
  RemoteCalls(isolation::Setup setup, Outbox& outbox);

  // What the main loop tells, before it calls the plugin.
  void opened(std::uint64_t request_id);                        // a request came in
  [[nodiscard]] bool closed(std::uint64_t request_id);            // it was cancelled; false: answered already
  // The stream that answers it may have so many bytes in all; gives how many may be written now. nullopt: answered already.
  [[nodiscard]] std::optional<std::uint64_t> credited(std::uint64_t request_id, std::uint64_t total);
  [[nodiscard]] bool replied(std::uint64_t token);               // false: the token is not open
  [[nodiscard]] bool is_asked(std::uint64_t token) const;
  void forget_all();                                              // stopped: nothing is open, no timer runs

  using Clock = std::chrono::steady_clock;
  [[nodiscard]] std::optional<Clock::time_point> next_timer() const;
  // The timer that is due, set again when periodic.
  [[nodiscard]] std::optional<std::uint64_t> take_due(Clock::time_point now);

  void log(std::int32_t level, std::string_view text) override;
  bus::Status publish(std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload) override;
  bus::Status subscribe(std::string_view filter) override;
  bus::Status unsubscribe(std::string_view filter) override;
  bus::Status request(const OutgoingRequest& request) override;
  bus::Status grant(std::uint64_t token, std::uint64_t bytes) override;
  bus::Status cancel(std::uint64_t token) override;
  bus::Status respond(std::uint64_t request_id, bus::Status status, std::string_view content_type, std::string_view payload) override;
  bus::Status stream_write(std::uint64_t request_id, std::string_view chunk) override;
  bus::Status observed(std::uint64_t revision, std::int32_t health, std::string_view text) override;
  bus::Status report(std::int32_t health, std::string_view text) override;
  bus::Status storage_get(std::string_view key, const Sink& value) override;
  bus::Status storage_put(std::string_view key, std::string_view value) override;
  bus::Status storage_remove(std::string_view key) override;
  bus::Status storage_list(const Sink& keys) override;
  bus::Status timer_set(std::uint64_t id, std::uint64_t delay_ms, std::uint64_t period_ms) override;
  bus::Status timer_cancel(std::uint64_t id) override;

 private:
  struct Timer {
    Clock::time_point due;
    std::chrono::milliseconds period{0};
  };
  struct Answering {
    std::uint64_t written = 0, allowed = 0;
  };

  const isolation::Setup setup_;
  Outbox& outbox_;
  PluginStorage storage_;
  mutable std::mutex mutex_;
  std::unordered_set<std::uint64_t> asked_;
  std::unordered_map<std::uint64_t, Answering> answering_;
  std::map<std::uint64_t, Timer> timers_;
};

}  // namespace picket::plugin_host::child
