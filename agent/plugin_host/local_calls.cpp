#include "plugin_host/local_calls.hpp"

#include <algorithm>
#include <vector>

namespace picket::plugin_host {

namespace {

using bus::kOk;
using bus::status_of;

constexpr std::size_t max_timers = 64;
constexpr std::uint64_t max_delay_ms = 10ull * 365 * 86'400'000;

std::chrono::milliseconds bounded(std::uint64_t ms) { return std::chrono::milliseconds(std::min(ms, max_delay_ms)); }

bus::Status status_of_result(const Result<>& result) { return result ? kOk : status_of(result.error().code); }

}  // namespace

LocalCalls::LocalCalls(runtime::Timers& timers, std::filesystem::path storage_dir, std::uint64_t storage_bytes, std::weak_ptr<InstanceEvents> events,
                       OnTimer on_timer)
    : timers_(timers), storage_(std::move(storage_dir), storage_bytes), events_(std::move(events)), on_timer_(std::move(on_timer)) {}

void LocalCalls::let_go() {
  std::vector<runtime::Timers::Id> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, timer] : set_) ids.push_back(timer.second.id);
    set_.clear();
  }
  for (const auto id : ids) timers_.cancel(id);  // without the lock: it waits for a callback, which takes it
}

void LocalCalls::log(std::int32_t level, std::string_view text) {
  if (const auto events = events_.lock()) events->on_log(level, text);
}

bus::Status LocalCalls::publish(std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload) {
  return peer_->publish(topic, key, content_type, payload);
}
bus::Status LocalCalls::subscribe(std::string_view filter) { return peer_->subscribe(filter); }
bus::Status LocalCalls::unsubscribe(std::string_view filter) { return peer_->unsubscribe(filter); }
bus::Status LocalCalls::request(const OutgoingRequest& request) {
  return peer_->request({request.topic, request.to, request.content_type, request.payload, std::chrono::milliseconds(request.timeout_ms), request.credit},
                        request.token);
}
bus::Status LocalCalls::grant(std::uint64_t token, std::uint64_t bytes) { return peer_->grant(token, bytes); }
bus::Status LocalCalls::cancel(std::uint64_t token) { return peer_->cancel(token); }
bus::Status LocalCalls::respond(std::uint64_t request_id, bus::Status status, std::string_view content_type, std::string_view payload) {
  return peer_->respond(request_id, status, content_type, payload);
}
bus::Status LocalCalls::stream_write(std::uint64_t request_id, std::string_view chunk) { return peer_->stream_write(request_id, chunk); }

bus::Status LocalCalls::observed(std::uint64_t revision, std::int32_t health, std::string_view text) {
  if (const auto events = events_.lock()) events->on_observed(revision, static_cast<Health>(health), std::string(text));
  return kOk;
}
bus::Status LocalCalls::report(std::int32_t health, std::string_view text) {
  if (const auto events = events_.lock()) events->on_health(static_cast<Health>(health), std::string(text));
  return kOk;
}

bus::Status LocalCalls::storage_get(std::string_view key, const Sink& value) {
  const auto got = storage_.get(key);
  if (!got) return status_of(got.error().code);
  value(*got);
  return kOk;
}
bus::Status LocalCalls::storage_put(std::string_view key, std::string_view value) { return status_of_result(storage_.put(key, value)); }
bus::Status LocalCalls::storage_remove(std::string_view key) { return status_of_result(storage_.remove(key)); }
bus::Status LocalCalls::storage_list(const Sink& keys) { return status_of_result(storage_.list(keys)); }

bus::Status LocalCalls::timer_set(std::uint64_t id, std::uint64_t delay_ms, std::uint64_t period_ms) {
  runtime::Timers::Id old = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!set_.contains(id) && set_.size() >= max_timers) return status_of(Code::too_large);
    const auto generation = ++generation_;
    auto& [kept, timer] = set_[id];
    old = timer.id;
    kept = generation;
    // Under the lock: fire() waits for it, and so finds the entry complete.
    timer = {timers_.start(bounded(delay_ms), bounded(period_ms), [this, id, generation] { fire(id, generation); }), period_ms != 0, false};
  }
  if (old != 0) timers_.cancel(old);
  return kOk;
}

bus::Status LocalCalls::timer_cancel(std::uint64_t id) {
  runtime::Timers::Id old = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto found = set_.find(id);
    if (found == set_.end()) return kOk;
    old = found->second.second.id;
    set_.erase(found);
  }
  timers_.cancel(old);
  return kOk;
}

void LocalCalls::fire(std::uint64_t id, std::uint64_t generation) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = set_.find(id);
    if (found == set_.end() || found->second.first != generation || found->second.second.is_due) return;
    found->second.second.is_due = true;
  }
  on_timer_(id);
}

bool LocalCalls::take_timer(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto found = set_.find(id);
  if (found == set_.end() || !found->second.second.is_due) return false;
  found->second.second.is_due = false;
  if (!found->second.second.periodic) set_.erase(found);
  return true;
}

}  // namespace picket::plugin_host
