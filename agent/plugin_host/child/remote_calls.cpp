#include "plugin_host/child/remote_calls.hpp"

#include <algorithm>

#include "bus/names.hpp"

namespace picket::plugin_host::child {

namespace {

using bus::kOk;
using bus::Status;
using bus::status_of;
using bus::wire::Frame;
using bus::wire::Type;

constexpr std::size_t max_open_requests = 1024, max_timers = 64;
constexpr std::uint64_t max_delay_ms = 10ull * 365 * 86'400'000;

bool contains(const std::vector<std::string>& list, std::string_view text) { return std::find(list.begin(), list.end(), text) != list.end(); }

Status status_of_result(const Result<>& result) { return result ? kOk : status_of(result.error().code); }

}  // namespace

RemoteCalls::RemoteCalls(isolation::Setup setup, Outbox& outbox)
    : setup_(std::move(setup)), outbox_(outbox), storage_(setup_.storage_dir, setup_.storage_bytes) {}

void RemoteCalls::opened(std::uint64_t request_id) {
  const std::lock_guard lock(mutex_);
  answering_.emplace(request_id, Answering{});
}

bool RemoteCalls::closed(std::uint64_t request_id) {
  const std::lock_guard lock(mutex_);
  return answering_.erase(request_id) == 1;
}

std::optional<std::uint64_t> RemoteCalls::credited(std::uint64_t request_id, std::uint64_t total) {
  const std::lock_guard lock(mutex_);
  const auto found = answering_.find(request_id);
  if (found == answering_.end()) return std::nullopt;
  found->second.allowed = std::max(found->second.allowed, total);
  return found->second.allowed - found->second.written;
}

bool RemoteCalls::replied(std::uint64_t token) {
  const std::lock_guard lock(mutex_);
  return asked_.erase(token) == 1;
}

bool RemoteCalls::is_asked(std::uint64_t token) const {
  const std::lock_guard lock(mutex_);
  return asked_.contains(token);
}

void RemoteCalls::forget_all() {
  const std::lock_guard lock(mutex_);
  asked_.clear();
  answering_.clear();
  timers_.clear();
}

void RemoteCalls::log(std::int32_t level, std::string_view text) {
  Frame frame;
  frame.type = isolation::kLog;
  frame.status = level;
  frame.payload = text;
  outbox_.send(frame);  // a log that finds no room is lost: it must not hold up anything
}

Status RemoteCalls::publish(std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload) {
  if (!contains(setup_.publishes, topic)) return status_of(Code::denied);
  if (payload.size() > bus::kMaxPayload) return status_of(Code::invalid);
  Frame frame;
  frame.type = Type::publish;
  frame.topic = topic, frame.key = key, frame.content_type = content_type, frame.payload = payload;
  return outbox_.send(frame);
}

Status RemoteCalls::subscribe(std::string_view filter) {
  if (!bus::is_filter(filter)) return status_of(Code::invalid);
  if (!bus::is_within_any(filter, setup_.subscribes)) return status_of(Code::denied);
  Frame frame;
  frame.type = Type::subscribe;
  frame.topic = filter;
  return outbox_.send(frame);
}

Status RemoteCalls::unsubscribe(std::string_view filter) {
  if (!bus::is_filter(filter)) return status_of(Code::invalid);
  Frame frame;
  frame.type = Type::unsubscribe;
  frame.topic = filter;
  return outbox_.send(frame);
}

Status RemoteCalls::request(const OutgoingRequest& request) {
  if (!bus::is_topic(request.topic)) return status_of(Code::invalid);
  if (!bus::is_within_any(request.topic, setup_.asks)) return status_of(Code::denied);
  if (request.payload.size() > bus::kMaxPayload || request.to.size() > 255) return status_of(Code::invalid);
  {
    const std::lock_guard lock(mutex_);
    if (asked_.size() >= max_open_requests) return status_of(Code::busy);
    if (!asked_.insert(request.token).second) return status_of(Code::conflict);
  }
  Frame frame;
  frame.type = Type::request;
  frame.topic = request.topic, frame.text = request.to, frame.content_type = request.content_type, frame.payload = request.payload;
  frame.number = request.timeout_ms;
  frame.token = request.token;
  // The frame's status field carries the first credit; more than it holds is granted right after.
  const auto first = std::min<std::uint64_t>(request.credit, INT32_MAX);
  frame.status = static_cast<Status>(first);
  const auto sent = outbox_.send(frame);
  if (sent != kOk) {
    const std::lock_guard lock(mutex_);
    asked_.erase(request.token);
    return sent;
  }
  return request.credit > first ? grant(request.token, request.credit - first) : kOk;
}

Status RemoteCalls::grant(std::uint64_t token, std::uint64_t bytes) {
  if (!is_asked(token)) return status_of(Code::not_found);
  Frame frame;
  frame.type = Type::grant;
  frame.token = token;
  frame.number = bytes;
  return outbox_.send(frame);
}

Status RemoteCalls::cancel(std::uint64_t token) {
  if (!is_asked(token)) return status_of(Code::not_found);
  Frame frame;
  frame.type = Type::cancel;
  frame.token = token;
  return outbox_.send(frame, true);
}

Status RemoteCalls::respond(std::uint64_t request_id, Status status, std::string_view content_type, std::string_view payload) {
  if (payload.size() > bus::kMaxPayload) return status_of(Code::invalid);
  Answering open;
  {
    const std::lock_guard lock(mutex_);
    const auto found = answering_.find(request_id);
    if (found == answering_.end()) return status_of(Code::not_found);
    open = found->second;
    answering_.erase(found);  // answered once, whoever else tries
  }
  Frame frame;
  frame.type = Type::respond;
  frame.token = request_id;
  frame.status = status;
  frame.content_type = content_type, frame.payload = payload;
  const auto sent = outbox_.send(frame);
  if (sent == status_of(Code::busy) || sent == status_of(Code::invalid)) {
    const std::lock_guard lock(mutex_);
    answering_.emplace(request_id, open);
  }
  return sent;
}

Status RemoteCalls::stream_write(std::uint64_t request_id, std::string_view chunk) {
  if (chunk.size() > bus::kMaxPayload) return status_of(Code::invalid);
  const std::lock_guard lock(mutex_);  // also while sending: chunks of one stream keep their order
  const auto found = answering_.find(request_id);
  if (found == answering_.end()) return status_of(Code::not_found);
  if (found->second.allowed - found->second.written < chunk.size()) return status_of(Code::busy);
  if (chunk.empty()) return kOk;
  Frame frame;
  frame.type = Type::stream_write;
  frame.token = request_id;
  frame.payload = chunk;
  const auto sent = outbox_.send(frame, true);  // credit bounds it
  if (sent == kOk) found->second.written += chunk.size();
  return sent;
}

Status RemoteCalls::observed(std::uint64_t revision, std::int32_t health, std::string_view text) {
  Frame frame;
  frame.type = isolation::kObserved;
  frame.number = revision;
  frame.status = health;
  frame.payload = text;
  return outbox_.send(frame, true);
}

Status RemoteCalls::report(std::int32_t health, std::string_view text) {
  Frame frame;
  frame.type = isolation::kHealth;
  frame.status = health;
  frame.payload = text;
  return outbox_.send(frame);
}

Status RemoteCalls::storage_get(std::string_view key, const Sink& value) {
  const auto got = storage_.get(key);
  if (!got) return status_of(got.error().code);
  value(*got);
  return kOk;
}
Status RemoteCalls::storage_put(std::string_view key, std::string_view value) { return status_of_result(storage_.put(key, value)); }
Status RemoteCalls::storage_remove(std::string_view key) { return status_of_result(storage_.remove(key)); }
Status RemoteCalls::storage_list(const Sink& keys) { return status_of_result(storage_.list(keys)); }

Status RemoteCalls::timer_set(std::uint64_t id, std::uint64_t delay_ms, std::uint64_t period_ms) {
  {
    const std::lock_guard lock(mutex_);
    if (!timers_.contains(id) && timers_.size() >= max_timers) return status_of(Code::too_large);
    timers_[id] = {Clock::now() + std::chrono::milliseconds(std::min(delay_ms, max_delay_ms)), std::chrono::milliseconds(std::min(period_ms, max_delay_ms))};
  }
  outbox_.wake();  // the loop may wait for something later
  return kOk;
}

Status RemoteCalls::timer_cancel(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  timers_.erase(id);
  return kOk;
}

std::optional<RemoteCalls::Clock::time_point> RemoteCalls::next_timer() const {
  const std::lock_guard lock(mutex_);
  std::optional<Clock::time_point> nearest;
  for (const auto& [id, timer] : timers_)
    if (!nearest || timer.due < *nearest) nearest = timer.due;
  return nearest;
}

std::optional<std::uint64_t> RemoteCalls::take_due(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  auto due = timers_.end();
  for (auto it = timers_.begin(); it != timers_.end(); ++it)
    if (it->second.due <= now && (due == timers_.end() || it->second.due < due->second.due)) due = it;
  if (due == timers_.end()) return std::nullopt;
  const auto id = due->first;
  if (due->second.period.count() == 0) {
    timers_.erase(due);
  } else {
    due->second.due = std::max(due->second.due + due->second.period, now);  // late ones do not pile up
  }
  return id;
}

}  // namespace picket::plugin_host::child
