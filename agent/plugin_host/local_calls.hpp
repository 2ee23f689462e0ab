// Host calls of a plugin in process: to its bus peer, its storage, the host's timers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "package/manifest.hpp"
#include "plugin_host/host_calls.hpp"
#include "plugin_host/instance.hpp"
#include "plugin_host/plugin_storage.hpp"
#include "runtime/timers.hpp"

namespace picket::plugin_host {

// Outlives the instance (a forgotten thread may still log): holds the events weakly, and the peer not at all after let_go().
class LocalCalls final : public HostCalls {
 public:
  using OnTimer = std::function<void(std::uint64_t id)>;  // timers' thread
  LocalCalls(runtime::Timers& timers, std::filesystem::path storage_dir, std::uint64_t storage_bytes, std::weak_ptr<InstanceEvents> events, OnTimer on_timer);

  void use(bus::Peer& peer) { peer_ = &peer; }
  // No timer fires any more; the tables are closed already, so that nobody reaches the peer.
  void let_go();

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

  // Is the timer still wanted, now that its turn has come on the strand?
  [[nodiscard]] bool take_timer(std::uint64_t id);

 private:
  struct Timer {
    runtime::Timers::Id id = 0;
    bool periodic = false;
    bool is_due = false;  // posted to the strand, not run yet: further firings of a period are merged
  };
  void fire(std::uint64_t id, std::uint64_t generation);

  runtime::Timers& timers_;
  PluginStorage storage_;
  const std::weak_ptr<InstanceEvents> events_;
  const OnTimer on_timer_;
  bus::Peer* peer_ = nullptr;
  std::mutex mutex_;
  std::map<std::uint64_t, std::pair<std::uint64_t, Timer>> set_;  // plugin's id -> generation, timer
  std::uint64_t generation_ = 0;
};

}  // namespace picket::plugin_host
