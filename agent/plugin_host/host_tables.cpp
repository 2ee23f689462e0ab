#include "plugin_host/host_tables.hpp"

#include <algorithm>
#include <cstring>

#include "base/bytes.hpp"

namespace picket::plugin_host {

namespace {

constexpr std::size_t max_text = 4096;  // of logs and errors; more is cut

bool is_sound(picket_bytes part) { return part.size == 0 || part.data != nullptr; }
std::string_view view(picket_bytes part) {
  return part.size == 0 ? std::string_view() : std::string_view(static_cast<const char*>(part.data), part.size);
}

std::string line_of(picket_bytes part) { return is_sound(part) ? clean_line(view(part)) : std::string(); }

}  // namespace

std::string clean_line(std::string_view given) { return plain_line(given, max_text); }

const std::vector<std::string>& known_extensions() {
  static const std::vector<std::string> all{PICKET_EXT_BUS, PICKET_EXT_SETTINGS, PICKET_EXT_STORAGE, PICKET_EXT_TIMER, PICKET_EXT_HEALTH};
  return all;
}

class HostTables::Inside {
 public:
  explicit Inside(HostTables& tables) : tables_(tables) {
    tables_.inside_.fetch_add(1);
    is_open_ = tables_.is_open_.load();
  }
  ~Inside() {
    if (tables_.inside_.fetch_sub(1) == 1 && !tables_.is_open_.load()) tables_.inside_.notify_all();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  [[nodiscard]] bool is_open() const { return is_open_; }

 private:
  HostTables& tables_;
  bool is_open_ = false;
};

// noexcept: nothing may be thrown into a plugin; running out of memory here ends the process, as anywhere else.
struct HostFunctions {
  template <class Call>
  static picket_status guarded(const picket_host* host, std::initializer_list<picket_bytes> parts, Call&& call) noexcept {
    auto& tables = HostTables::of(host);
    const HostTables::Inside inside(tables);
    if (!inside.is_open()) return PICKET_E_DENIED;
    for (const auto& part : parts)
      if (!is_sound(part)) return PICKET_E_INVALID;
    return call(*tables.calls_);
  }

  static const void* get_extension(const picket_host* host, const char* id) noexcept {
    return id == nullptr ? nullptr : HostTables::of(host).extension(id);
  }
  static void log(const picket_host* host, std::int32_t level, picket_bytes utf8) noexcept {
    // Also before start and after stop: a text is harmless, and often the only trace of what went wrong.
    HostTables::of(host).calls_->log(std::clamp<std::int32_t>(level, PICKET_LOG_DEBUG, PICKET_LOG_ERROR), line_of(utf8));
  }
  static void set_error(const picket_host* host, picket_bytes utf8) noexcept {
    auto& tables = HostTables::of(host);
    if (tables.plugin_thread_.load(std::memory_order_relaxed) == std::this_thread::get_id()) tables.error_ = line_of(utf8);
  }

  static picket_status publish(const picket_host* h, picket_bytes topic, picket_bytes key, picket_bytes type, picket_bytes payload) noexcept {
    return guarded(h, {topic, key, type, payload}, [&](HostCalls& c) { return c.publish(view(topic), view(key), view(type), view(payload)); });
  }
  static picket_status subscribe(const picket_host* h, picket_bytes filter) noexcept {
    return guarded(h, {filter}, [&](HostCalls& c) { return c.subscribe(view(filter)); });
  }
  static picket_status unsubscribe(const picket_host* h, picket_bytes filter) noexcept {
    return guarded(h, {filter}, [&](HostCalls& c) { return c.unsubscribe(view(filter)); });
  }
  static picket_status request(const picket_host* h, picket_bytes topic, picket_bytes to, picket_bytes type, picket_bytes payload, std::uint32_t timeout_ms,
                               std::uint64_t token, std::uint64_t credit) noexcept {
    return guarded(h, {topic, to, type, payload}, [&](HostCalls& c) {
      if (timeout_ms == 0 || timeout_ms > 86'400'000) return PICKET_E_INVALID;
      return c.request({view(topic), view(to), view(type), view(payload), timeout_ms, token, credit});
    });
  }
  static picket_status grant(const picket_host* h, std::uint64_t token, std::uint64_t bytes) noexcept {
    return guarded(h, {}, [&](HostCalls& c) { return c.grant(token, bytes); });
  }
  static picket_status cancel(const picket_host* h, std::uint64_t token) noexcept {
    return guarded(h, {}, [&](HostCalls& c) { return c.cancel(token); });
  }
  static picket_status respond(const picket_host* h, std::uint64_t id, picket_status status, picket_bytes type, picket_bytes payload) noexcept {
    return guarded(h, {type, payload}, [&](HostCalls& c) { return c.respond(id, std::min(status, 0), view(type), view(payload)); });
  }
  static picket_status stream_write(const picket_host* h, std::uint64_t id, picket_bytes chunk) noexcept {
    return guarded(h, {chunk}, [&](HostCalls& c) { return c.stream_write(id, view(chunk)); });
  }

  static bool is_health(std::int32_t health) { return health >= PICKET_HEALTH_HEALTHY && health <= PICKET_HEALTH_FAILED; }
  static picket_status observed(const picket_host* h, std::uint64_t revision, std::int32_t health, picket_bytes utf8) noexcept {
    return guarded(h, {utf8}, [&](HostCalls& c) { return is_health(health) ? c.observed(revision, health, line_of(utf8)) : PICKET_E_INVALID; });
  }
  static picket_status report(const picket_host* h, std::int32_t health, picket_bytes utf8) noexcept {
    return guarded(h, {utf8}, [&](HostCalls& c) { return is_health(health) ? c.report(health, line_of(utf8)) : PICKET_E_INVALID; });
  }

  static HostCalls::Sink sink(const picket_sink* to) {
    return [to](std::string_view part) { to->write(to->ctx, {part.data(), part.size()}); };
  }
  static bool is_sound_sink(const picket_sink* to) { return to != nullptr && to->write != nullptr; }
  static picket_status storage_get(const picket_host* h, picket_bytes key, const picket_sink* value) noexcept {
    return guarded(h, {key}, [&](HostCalls& c) { return is_sound_sink(value) ? c.storage_get(view(key), sink(value)) : PICKET_E_INVALID; });
  }
  static picket_status storage_put(const picket_host* h, picket_bytes key, picket_bytes value) noexcept {
    return guarded(h, {key, value}, [&](HostCalls& c) { return c.storage_put(view(key), view(value)); });
  }
  static picket_status storage_remove(const picket_host* h, picket_bytes key) noexcept {
    return guarded(h, {key}, [&](HostCalls& c) { return c.storage_remove(view(key)); });
  }
  static picket_status storage_list(const picket_host* h, const picket_sink* keys) noexcept {
    return guarded(h, {}, [&](HostCalls& c) { return is_sound_sink(keys) ? c.storage_list(sink(keys)) : PICKET_E_INVALID; });
  }

  static picket_status timer_set(const picket_host* h, std::uint64_t id, std::uint64_t delay_ms, std::uint64_t period_ms) noexcept {
    return guarded(h, {}, [&](HostCalls& c) { return c.timer_set(id, delay_ms, period_ms); });
  }
  static picket_status timer_cancel(const picket_host* h, std::uint64_t id) noexcept {
    return guarded(h, {}, [&](HostCalls& c) { return c.timer_cancel(id); });
  }
};

HostTables::HostTables(std::shared_ptr<HostCalls> calls, std::vector<std::string> extensions)
    : calls_(std::move(calls)), extensions_(std::move(extensions)) {
  using F = HostFunctions;
  host_ = {sizeof host_, PICKET_ABI_MINOR, this, &F::get_extension, &F::log, &F::set_error};
  bus_ = {sizeof bus_, 0, &F::publish, &F::subscribe, &F::unsubscribe, &F::request, &F::grant, &F::cancel, &F::respond, &F::stream_write};
  settings_ = {sizeof settings_, 0, &F::observed};
  storage_ = {sizeof storage_, 0, &F::storage_get, &F::storage_put, &F::storage_remove, &F::storage_list};
  timer_ = {sizeof timer_, 0, &F::timer_set, &F::timer_cancel};
  health_ = {sizeof health_, 0, &F::report};
}

const void* HostTables::extension(std::string_view id) const {
  if (std::find(extensions_.begin(), extensions_.end(), id) == extensions_.end()) return nullptr;
  if (id == PICKET_EXT_BUS) return &bus_;
  if (id == PICKET_EXT_SETTINGS) return &settings_;
  if (id == PICKET_EXT_STORAGE) return &storage_;
  if (id == PICKET_EXT_TIMER) return &timer_;
  if (id == PICKET_EXT_HEALTH) return &health_;
  return nullptr;
}

void HostTables::open() { is_open_.store(true); }

void HostTables::close() {
  is_open_.store(false);
  // Host calls do not block (storage: only for the disk), so this is short. Calls that begin now see closed and leave again.
  for (auto count = inside_.load(); count != 0; count = inside_.load()) inside_.wait(count);
}

// Relaxed: only "is it me?" is asked of it, and what a thread itself stored it sees.
void HostTables::enter_plugin() { plugin_thread_.store(std::this_thread::get_id(), std::memory_order_relaxed); }

std::string HostTables::leave_plugin() {
  plugin_thread_.store(std::thread::id(), std::memory_order_relaxed);
  return error_.empty() ? std::string() : std::exchange(error_, {});
}

}  // namespace picket::plugin_host
