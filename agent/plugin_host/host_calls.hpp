// What a plugin may ask of its host, as C++: implemented over a bus peer (in picketd) and over frames (in a child).
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "bus/bus.hpp"

namespace picket::plugin_host {

struct OutgoingRequest {
  std::string_view topic, to, content_type, payload;
  std::uint32_t timeout_ms = 0;
  std::uint64_t token = 0, credit = 0;
};

// Arguments were checked by HostTables. Any thread, never blocking (but storage), never calling the plugin.
class HostCalls {
 public:
  using Sink = std::function<void(std::string_view)>;

  virtual ~HostCalls() = default;
  virtual void log(std::int32_t level, std::string_view text) = 0;

  virtual bus::Status publish(std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload) = 0;
  virtual bus::Status subscribe(std::string_view filter) = 0;
  virtual bus::Status unsubscribe(std::string_view filter) = 0;
  virtual bus::Status request(const OutgoingRequest& request) = 0;
  virtual bus::Status grant(std::uint64_t token, std::uint64_t bytes) = 0;
  virtual bus::Status cancel(std::uint64_t token) = 0;
  virtual bus::Status respond(std::uint64_t request_id, bus::Status status, std::string_view content_type, std::string_view payload) = 0;
  virtual bus::Status stream_write(std::uint64_t request_id, std::string_view chunk) = 0;

  virtual bus::Status observed(std::uint64_t revision, std::int32_t health, std::string_view text) = 0;
  virtual bus::Status report(std::int32_t health, std::string_view text) = 0;

  virtual bus::Status storage_get(std::string_view key, const Sink& value) = 0;
  virtual bus::Status storage_put(std::string_view key, std::string_view value) = 0;
  virtual bus::Status storage_remove(std::string_view key) = 0;
  virtual bus::Status storage_list(const Sink& keys) = 0;

  virtual bus::Status timer_set(std::uint64_t id, std::uint64_t delay_ms, std::uint64_t period_ms) = 0;
  virtual bus::Status timer_cancel(std::uint64_t id) = 0;
};

}  // namespace picket::plugin_host
