// picket/testing/host_tables.hpp - the half of FakeHost that the plugin calls: the host's tables, and the rules they watch. Include fake_host.hpp.
#pragma once

#include <picket/ext/bus.h>
#include <picket/ext/health.h>
#include <picket/ext/settings.h>
#include <picket/ext/storage.h>
#include <picket/ext/timer.h>
#include <picket/testing/host_state.hpp>

#include <cstring>

namespace picket::testing {

class HostTables : public HostState {
 public:
  // get_extension answers NULL for it. Before create.
  void lacks(const std::string& extension) { lacking_.insert(extension); }
  // As a host that knows only the first members of a table: a call beyond struct_size is a broken rule. Before create.
  void shrink(const std::string& extension, std::uint32_t struct_size) {
    for (auto [id, size] : {std::pair{PICKET_EXT_BUS, &bus_.struct_size}, {PICKET_EXT_SETTINGS, &settings_.struct_size},
                            {PICKET_EXT_STORAGE, &storage_.struct_size}, {PICKET_EXT_TIMER, &timer_.struct_size}, {PICKET_EXT_HEALTH, &health_.struct_size}})
      if (extension == id) *size = struct_size;
  }

 protected:
  HostTables() { host_.ctx = this; }
  ~HostTables() = default;

  picket_host host_{sizeof(picket_host), PICKET_ABI_MINOR, nullptr, &get_extension, &log, &set_error};

 private:
  static HostTables& self(const picket_host* host) { return *static_cast<HostTables*>(host->ctx); }

  // What all calls of extensions have in common. `end` is where the member ends in its table.
  template <class Table, class Work>
  static picket_status call(const picket_host* host, const char* name, const Table HostTables::*table, std::size_t end, Work&& work) noexcept {
    try {
      HostTables& me = self(host);
      const std::lock_guard lock(me.mutex_);
      ++me.calls_[name];
      if (host != &me.host_) me.violate_locked(std::string(name) + " was given another host than create was");
      if ((me.*table).struct_size < end) {
        me.violate_locked(std::string(name) + " was called though the host's struct_size ends before it (PICKET_HAS)");
        return PICKET_E_UNSUPPORTED;
      }
      if (me.state_ != State::running) {
        me.violate_locked(std::string(name) + (me.state_ == State::created ? " was called before start" : " was called after stop"));
        return PICKET_E_DENIED;
      }
      for (const char* key : {name, "*"})
        if (const auto failing = me.failing_.find(key); failing != me.failing_.end()) {
          me.changed_locked();
          return failing->second;
        }
      const picket_status status = work(me);
      me.changed_locked();
      return status;
    } catch (...) {
      return PICKET_E_INTERNAL;
    }
  }
#define PICKET_FAKE_CALL(name, table, Type, member) call(host, name, &HostTables::table, offsetof(Type, member) + sizeof(Type::member),

  // Malformed arguments are refused, and the plugin's fault.
  picket_status invalid(const std::string& what) {
    violate_locked(what);
    return PICKET_E_INVALID;
  }
  picket_status denied(const std::string& what) {
    violate_locked(what + ", which is not in its manifest");
    return PICKET_E_DENIED;
  }
  static bool is_sane(picket_bytes part) { return part.size == 0 || part.data != nullptr; }
  static std::string_view view(picket_bytes part) {
    return part.size == 0 ? std::string_view() : std::string_view(static_cast<const char*>(part.data), part.size);
  }
  static std::string text(picket_bytes part) { return std::string(view(part)); }
  picket_status check_payload(const char* name, picket_bytes content_type, picket_bytes payload) {
    if (!is_sane(content_type) || !is_sane(payload)) return invalid(std::string(name) + " with a size but no data");
    if (content_type.size > PICKET_BUS_MAX_CONTENT_TYPE) return invalid(std::string(name) + " with " + std::to_string(content_type.size) + " bytes of content type");
    if (payload.size > PICKET_BUS_MAX_PAYLOAD) return invalid(std::string(name) + " with " + std::to_string(payload.size) + " bytes of payload");
    return PICKET_OK;
  }

  // ---- the core -------------------------------------------------------------------------------------------------------------
  static const void* get_extension(const picket_host* host, const char* id) {
    const HostTables& me = self(host);
    if (id == nullptr || me.lacking_.count(id) > 0) return nullptr;
    if (std::strcmp(id, PICKET_EXT_BUS) == 0) return &me.bus_;
    if (std::strcmp(id, PICKET_EXT_SETTINGS) == 0) return &me.settings_;
    if (std::strcmp(id, PICKET_EXT_STORAGE) == 0) return &me.storage_;
    if (std::strcmp(id, PICKET_EXT_TIMER) == 0) return &me.timer_;
    if (std::strcmp(id, PICKET_EXT_HEALTH) == 0) return &me.health_;
    return nullptr;
  }
  static void log(const picket_host* host, std::int32_t level, picket_bytes utf8) {
    HostTables& me = self(host);
    const std::lock_guard lock(me.mutex_);
    ++me.calls_["log"];
    if (me.state_ != State::running && me.caller_ != std::this_thread::get_id()) me.violate_locked("log was called while it is not running: " + text(utf8));
    if (level < PICKET_LOG_DEBUG || level > PICKET_LOG_ERROR) me.violate_locked("log with level " + std::to_string(level));
    if (!is_sane(utf8)) return me.violate_locked("log with a size but no data");
    note(me.logs_, LogRecord{level, text(utf8)});
    me.changed_locked();
  }
  static void set_error(const picket_host* host, picket_bytes utf8) {
    HostTables& me = self(host);
    const std::lock_guard lock(me.mutex_);
    ++me.calls_["set_error"];
    if (me.caller_ != std::this_thread::get_id()) return me.violate_locked("set_error was called on another thread than the one that calls the plugin");
    if (!is_sane(utf8)) return me.violate_locked("set_error with a size but no data");
    me.error_ = text(utf8);
  }

  // ---- bus ------------------------------------------------------------------------------------------------------------------
  static picket_status publish(const picket_host* host, picket_bytes topic, picket_bytes key, picket_bytes content_type, picket_bytes payload) noexcept {
    return PICKET_FAKE_CALL("publish", bus_, picket_host_bus, publish) [&](HostTables& me) {
      if (const auto bad = me.check_payload("publish", content_type, payload)) return bad;
      if (!is_sane(topic) || !is_topic(view(topic))) return me.invalid("publish to what is no topic: " + text(topic));
      if (!is_sane(key) || key.size > PICKET_BUS_MAX_KEY) return me.invalid("publish with a key of " + std::to_string(key.size) + " bytes");
      if (!is_allowed(me.allow_.publishes, view(topic))) return me.denied("publishes " + text(topic));
      if (key.size > 0 && is_event(me.allow_, view(topic))) return me.invalid("publish of an event with a key: " + text(topic));
      auto& keys = me.state_keys_[text(topic)];
      if (keys.count(text(key)) == 0 && keys.size() >= kMostStateKeys) return PICKET_E_TOO_LARGE;
      keys.insert(text(key));
      note(me.published_, Message{text(topic), text(payload), text(key), text(content_type), {}, 0});
      return PICKET_OK;
    });
  }
  static picket_status subscribe(const picket_host* host, picket_bytes filter) noexcept {
    return PICKET_FAKE_CALL("subscribe", bus_, picket_host_bus, subscribe) [&](HostTables& me) {
      if (!is_sane(filter) || !is_filter(view(filter))) return me.invalid("subscribes to what is no filter: " + text(filter));
      if (!is_allowed(me.allow_.subscribes, view(filter))) return me.denied("subscribes to " + text(filter));
      if (std::find(me.subscriptions_.begin(), me.subscriptions_.end(), view(filter)) != me.subscriptions_.end()) return PICKET_OK;
      if (me.subscriptions_.size() >= kMostFilters) return PICKET_E_TOO_LARGE;
      me.subscriptions_.push_back(text(filter));
      for (const auto& [name, kept] : me.kept_)
        if (matches(view(filter), kept.topic)) me.owed_.push_back({Owed::message, 0, 0, kept});
      return PICKET_OK;
    });
  }
  static picket_status unsubscribe(const picket_host* host, picket_bytes filter) noexcept {
    return PICKET_FAKE_CALL("unsubscribe", bus_, picket_host_bus, unsubscribe) [&](HostTables& me) {
      return std::erase(me.subscriptions_, text(filter)) > 0 ? PICKET_OK : PICKET_E_NOT_FOUND;
    });
  }
  static picket_status request(const picket_host* host, picket_bytes topic, picket_bytes to, picket_bytes content_type, picket_bytes payload,
                               std::uint32_t timeout_ms, std::uint64_t token, std::uint64_t initial_credit) noexcept {
    return PICKET_FAKE_CALL("request", bus_, picket_host_bus, request) [&](HostTables& me) {
      if (const auto bad = me.check_payload("request", content_type, payload)) return bad;
      if (!is_sane(topic) || !is_topic(view(topic))) return me.invalid("asks what is no topic: " + text(topic));
      if (!is_sane(to)) return me.invalid("request with a size but no data");
      if (timeout_ms == 0 || timeout_ms > 86'400'000) return me.invalid("request with a timeout of " + std::to_string(timeout_ms) + " ms");
      if (!is_allowed(me.allow_.asks, view(topic))) return me.denied("asks " + text(topic));
      if (me.open_requests_ >= kMostOpenRequests) return PICKET_E_BUSY;
      if (me.find_open(token) != nullptr) {
        me.violate_locked("request with token " + std::to_string(token) + ", which is in use");
        return PICKET_E_CONFLICT;
      }
      ++me.open_requests_;
      note(me.asked_, Asked{token, text(to), Message{text(topic), text(payload), {}, text(content_type), {}, timeout_ms}, initial_credit, initial_credit,
                            true, me.now_ + timeout_ms});
      me.owed_.push_back({Owed::reply, token});
      return PICKET_OK;
    });
  }
  static picket_status grant(const picket_host* host, std::uint64_t token, std::uint64_t bytes) noexcept {
    return PICKET_FAKE_CALL("grant", bus_, picket_host_bus, grant) [&](HostTables& me) {
      Asked* found = me.find_open(token);
      if (found == nullptr) return PICKET_E_NOT_FOUND;
      found->credit += bytes;
      found->granted += bytes;
      me.owed_.push_back({Owed::reply, token});
      return PICKET_OK;
    });
  }
  static picket_status cancel(const picket_host* host, std::uint64_t token) noexcept {
    return PICKET_FAKE_CALL("cancel", bus_, picket_host_bus, cancel) [&](HostTables& me) {
      Asked* found = me.find_open(token);
      if (found == nullptr) return PICKET_E_NOT_FOUND;
      me.owed_.push_back({Owed::cancelled, token});
      return PICKET_OK;
    });
  }
  static picket_status respond(const picket_host* host, std::uint64_t id, picket_status status, picket_bytes content_type, picket_bytes payload) noexcept {
    return PICKET_FAKE_CALL("respond", bus_, picket_host_bus, respond) [&](HostTables& me) {
      const auto found = me.answered_.find(id);
      if (found == me.answered_.end()) return me.invalid("responds to request " + std::to_string(id) + ", which it was never given");
      if (found->second.done) {
        me.violate_locked("responds twice to request " + std::to_string(id));
        return PICKET_E_NOT_FOUND;
      }
      if (!found->second.wanted) return PICKET_E_NOT_FOUND;
      if (const auto bad = me.check_payload("respond", content_type, payload)) return bad;
      if (status > 0) return me.invalid("responds with " + std::to_string(status) + ", which is no status");
      found->second.done = true;
      found->second.status = status;
      found->second.content_type = text(content_type);
      found->second.payload = text(payload);
      return PICKET_OK;
    });
  }
  static picket_status stream_write(const picket_host* host, std::uint64_t id, picket_bytes chunk) noexcept {
    return PICKET_FAKE_CALL("stream_write", bus_, picket_host_bus, stream_write) [&](HostTables& me) {
      const auto found = me.answered_.find(id);
      if (found == me.answered_.end()) return me.invalid("streams to request " + std::to_string(id) + ", which it was never given");
      Answered& to = found->second;
      if (to.done) {
        me.violate_locked("streams after its answer to request " + std::to_string(id));
        return PICKET_E_NOT_FOUND;
      }
      if (!to.wanted) return PICKET_E_NOT_FOUND;
      if (const auto bad = me.check_payload("stream_write", {}, chunk)) return bad;
      if (chunk.size == 0) return PICKET_E_INVALID;
      if (chunk.size > to.credit) {
        // One try beyond credit is how a writer learns of its end; thousands are a busy loop.
        if (++to.refused_writes == kPatience) me.violate_locked("streams beyond its credit again and again instead of waiting for on_credit");
        return PICKET_E_BUSY;
      }
      to.credit -= chunk.size;
      to.stream.append(view(chunk));
      ++to.chunks;
      return PICKET_OK;
    });
  }

  // ---- settings, health -----------------------------------------------------------------------------------------------------
  static bool is_health(std::int32_t health) { return health >= PICKET_HEALTH_HEALTHY && health <= PICKET_HEALTH_FAILED; }
  static picket_status observed_call(const picket_host* host, std::uint64_t revision, std::int32_t health, picket_bytes utf8) noexcept {
    return PICKET_FAKE_CALL("observed", settings_, picket_host_settings, observed) [&](HostTables& me) {
      if (!is_health(health) || !is_sane(utf8)) return me.invalid("observed with health " + std::to_string(health));
      if (me.revisions_.count(revision) == 0) return me.invalid("observed revision " + std::to_string(revision) + ", which it was never given");
      note(me.observed_, Observed{revision, health, text(utf8)});
      me.show(0, Health{health, text(utf8)});
      return PICKET_OK;
    });
  }
  static picket_status report(const picket_host* host, std::int32_t health, picket_bytes utf8) noexcept {
    return PICKET_FAKE_CALL("report", health_, picket_host_health, report) [&](HostTables& me) {
      if (!is_health(health) || !is_sane(utf8)) return me.invalid("report with health " + std::to_string(health));
      note(me.healths_, Health{health, text(utf8)});
      me.show(1, Health{health, text(utf8)});
      return PICKET_OK;
    });
  }

  // ---- storage --------------------------------------------------------------------------------------------------------------
  static bool is_key(std::string_view key) {
    return !key.empty() && key.size() <= 128 && key.front() != '.' &&
           key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string_view::npos;
  }
  // The plugin's sink is the plugin's code: called without the mutex.
  static picket_status get(const picket_host* host, picket_bytes key, const picket_sink* value) noexcept {
    std::string found_value;
    const picket_status status = PICKET_FAKE_CALL("get", storage_, picket_host_storage, get) [&](HostTables& me) {
      if (!is_sane(key) || !is_key(view(key))) return me.invalid("storage key that is none: " + text(key));
      const auto found = me.stored_.find(text(key));
      if (found == me.stored_.end()) return PICKET_E_NOT_FOUND;
      found_value = found->second;
      return PICKET_OK;
    });
    if (status == PICKET_OK) value->write(value->ctx, lend(found_value));
    return status;
  }
  static picket_status put(const picket_host* host, picket_bytes key, picket_bytes value) noexcept {
    return PICKET_FAKE_CALL("put", storage_, picket_host_storage, put) [&](HostTables& me) {
      if (!is_sane(key) || !is_key(view(key))) return me.invalid("storage key that is none: " + text(key));
      if (!is_sane(value)) return me.invalid("put with a size but no data");
      std::size_t sum = value.size;
      for (const auto& [name, old] : me.stored_) sum += name == view(key) ? 0 : old.size();
      if (sum > me.storage_limit_ || (me.stored_.size() >= kMostStoredKeys && me.stored_.count(text(key)) == 0)) return PICKET_E_NO_SPACE;
      me.stored_[text(key)] = text(value);
      return PICKET_OK;
    });
  }
  static picket_status remove(const picket_host* host, picket_bytes key) noexcept {
    return PICKET_FAKE_CALL("remove", storage_, picket_host_storage, remove) [&](HostTables& me) {
      if (!is_sane(key) || !is_key(view(key))) return me.invalid("storage key that is none: " + text(key));
      me.stored_.erase(text(key));
      return PICKET_OK;
    });
  }
  static picket_status list(const picket_host* host, const picket_sink* keys) noexcept {
    std::vector<std::string> names;
    const picket_status status = PICKET_FAKE_CALL("list", storage_, picket_host_storage, list) [&](HostTables& me) {
      for (const auto& [name, value] : me.stored_) names.push_back(name);
      return PICKET_OK;
    });
    if (status == PICKET_OK)
      for (const std::string& name : names) keys->write(keys->ctx, lend(name));
    return status;
  }

  // ---- timer ----------------------------------------------------------------------------------------------------------------
  static picket_status set_timer(const picket_host* host, std::uint64_t id, std::uint64_t delay_ms, std::uint64_t period_ms) noexcept {
    return PICKET_FAKE_CALL("set_timer", timer_, picket_host_timer, set) [&](HostTables& me) {
      if (me.timers_.count(id) == 0 && me.timers_.size() >= kMostTimers) return PICKET_E_TOO_LARGE;
      me.timers_[id] = {me.now_ + delay_ms, period_ms};
      return PICKET_OK;
    });
  }
  static picket_status cancel_timer(const picket_host* host, std::uint64_t id) noexcept {
    return PICKET_FAKE_CALL("cancel_timer", timer_, picket_host_timer, cancel) [&](HostTables& me) {
      me.timers_.erase(id);
      return PICKET_OK;
    });
  }
#undef PICKET_FAKE_CALL

  picket_host_bus bus_{sizeof(picket_host_bus), 0, &publish, &subscribe, &unsubscribe, &request, &grant, &cancel, &respond, &stream_write};
  picket_host_settings settings_{sizeof(picket_host_settings), 0, &observed_call};
  picket_host_storage storage_{sizeof(picket_host_storage), 0, &get, &put, &remove, &list};
  picket_host_timer timer_{sizeof(picket_host_timer), 0, &set_timer, &cancel_timer};
  picket_host_health health_{sizeof(picket_host_health), 0, &report};
  std::set<std::string> lacking_;
};

}  // namespace picket::testing
