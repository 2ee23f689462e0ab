// picket/plugin.hpp - the C contract of plugin.h as C++20: a plugin is a class and one line. Header only, links nothing.
//
//   class Hello {
//    public:
//     explicit Hello(picket::plugin::Host host) : host_(host) {}
//     picket_status start(std::string_view settings_json, std::uint64_t revision);
//     void stop() noexcept;
//     void on_message(const picket::plugin::Message& message);   // optional, as are the other hooks below
//   };
//   PICKET_PLUGIN("com.vendor.hello", Hello)
//
// Optional members, each exactly so, public, or it does not compile: apply, on_message, on_request, on_stream, on_reply, on_credit,
// on_cancel, on_loss, on_timer.
// The rules of plugin.h hold: which thread, what is borrowed. An exception out of a member becomes PICKET_E_INTERNAL with its text: the status of
// start, apply and stop, the answer to a request; of the other members, which have neither, it is logged.
#pragma once

#include <picket/ext/bus.h>
#include <picket/ext/health.h>
#include <picket/ext/settings.h>
#include <picket/ext/storage.h>
#include <picket/ext/timer.h>
#include <picket/plugin.h>

#include <concepts>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace picket::plugin {

[[nodiscard]] inline picket_bytes bytes(std::string_view text) { return {text.data(), text.size()}; }
[[nodiscard]] inline std::string_view view(picket_bytes part) {
  return part.size == 0 ? std::string_view() : std::string_view(static_cast<const char*>(part.data), part.size);
}

// Borrowed for the call.
struct Message {
  std::string_view topic, key, content_type, sender, payload;
  std::uint32_t timeout_ms = 0;

  explicit Message(const picket_message& m)
      : topic(view(m.topic)), key(view(m.key)), content_type(view(m.content_type)), sender(view(m.sender)), payload(view(m.payload)),
        timeout_ms(m.timeout_ms) {}
  // Of a state topic: there is no value of this key any more, see ext/bus.h.
  [[nodiscard]] bool is_withdrawn() const { return content_type.empty() && payload.empty(); }
};

// The host's tables behind one small value; copy it freely. An absent extension answers PICKET_E_UNSUPPORTED.
class Host {
 public:
  explicit Host(const picket_host* host)
      : host_(host),
        bus_(table<picket_host_bus>(PICKET_EXT_BUS)),
        settings_(table<picket_host_settings>(PICKET_EXT_SETTINGS)),
        storage_(table<picket_host_storage>(PICKET_EXT_STORAGE)),
        timer_(table<picket_host_timer>(PICKET_EXT_TIMER)),
        health_(table<picket_host_health>(PICKET_EXT_HEALTH)) {}

  [[nodiscard]] const picket_host* raw() const { return host_; }

  void log(std::int32_t level, std::string_view text) const { host_->log(host_, level, bytes(text)); }
  void debug(std::string_view text) const { log(PICKET_LOG_DEBUG, text); }
  void info(std::string_view text) const { log(PICKET_LOG_INFO, text); }
  void warning(std::string_view text) const { log(PICKET_LOG_WARNING, text); }
  void error(std::string_view text) const { log(PICKET_LOG_ERROR, text); }
  // Says why and returns the status: `return host_.fail(PICKET_E_INVALID, "no such folder");` [plugin-thread]
  picket_status fail(picket_status status, std::string_view why) const {
    host_->set_error(host_, bytes(why));
    return status;
  }

  picket_status publish(std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload) const {
    return bus_ && PICKET_HAS(bus_, publish) ? bus_->publish(host_, bytes(topic), bytes(key), bytes(content_type), bytes(payload)) : PICKET_E_UNSUPPORTED;
  }
  picket_status subscribe(std::string_view filter) const {
    return bus_ && PICKET_HAS(bus_, subscribe) ? bus_->subscribe(host_, bytes(filter)) : PICKET_E_UNSUPPORTED;
  }
  picket_status unsubscribe(std::string_view filter) const {
    return bus_ && PICKET_HAS(bus_, unsubscribe) ? bus_->unsubscribe(host_, bytes(filter)) : PICKET_E_UNSUPPORTED;
  }
  picket_status request(std::string_view topic, std::string_view to, std::string_view content_type, std::string_view payload,
                        std::uint32_t timeout_ms, std::uint64_t token, std::uint64_t initial_credit = 0) const {
    return bus_ && PICKET_HAS(bus_, request)
               ? bus_->request(host_, bytes(topic), bytes(to), bytes(content_type), bytes(payload), timeout_ms, token, initial_credit)
               : PICKET_E_UNSUPPORTED;
  }
  picket_status grant(std::uint64_t token, std::uint64_t count) const {
    return bus_ && PICKET_HAS(bus_, grant) ? bus_->grant(host_, token, count) : PICKET_E_UNSUPPORTED;
  }
  picket_status cancel(std::uint64_t token) const {
    return bus_ && PICKET_HAS(bus_, cancel) ? bus_->cancel(host_, token) : PICKET_E_UNSUPPORTED;
  }
  picket_status respond(std::uint64_t request_id, picket_status status, std::string_view content_type, std::string_view payload) const {
    return bus_ && PICKET_HAS(bus_, respond) ? bus_->respond(host_, request_id, status, bytes(content_type), bytes(payload)) : PICKET_E_UNSUPPORTED;
  }
  // Answers with an error and its text.
  picket_status refuse(std::uint64_t request_id, picket_status status, std::string_view why) const { return respond(request_id, status, {}, why); }
  picket_status stream_write(std::uint64_t request_id, std::string_view chunk) const {
    return bus_ && PICKET_HAS(bus_, stream_write) ? bus_->stream_write(host_, request_id, bytes(chunk)) : PICKET_E_UNSUPPORTED;
  }

  picket_status observed(std::uint64_t revision, std::int32_t health, std::string_view text = {}) const {
    return settings_ && PICKET_HAS(settings_, observed) ? settings_->observed(host_, revision, health, bytes(text)) : PICKET_E_UNSUPPORTED;
  }
  picket_status report(std::int32_t health, std::string_view text = {}) const {
    return health_ && PICKET_HAS(health_, report) ? health_->report(host_, health, bytes(text)) : PICKET_E_UNSUPPORTED;
  }

  picket_status set_timer(std::uint64_t id, std::uint64_t delay_ms, std::uint64_t period_ms = 0) const {
    return timer_ && PICKET_HAS(timer_, set) ? timer_->set(host_, id, delay_ms, period_ms) : PICKET_E_UNSUPPORTED;
  }
  picket_status cancel_timer(std::uint64_t id) const {
    return timer_ && PICKET_HAS(timer_, cancel) ? timer_->cancel(host_, id) : PICKET_E_UNSUPPORTED;
  }

  // nullopt: no such key, no storage, or what is stored cannot be read now.
  [[nodiscard]] std::optional<std::string> load(std::string_view key) const {
    std::string value;
    if (load(key, value) != PICKET_OK) return std::nullopt;
    return value;
  }
  // Tells these apart: PICKET_E_NOT_FOUND, PICKET_E_UNSUPPORTED, or why it cannot be read now. `value` changes with PICKET_OK only.
  [[nodiscard]] picket_status load(std::string_view key, std::string& value) const {
    if (!storage_ || !PICKET_HAS(storage_, get)) return PICKET_E_UNSUPPORTED;
    std::string read;
    const picket_sink sink = append_to(read);
    const picket_status status = storage_->get(host_, bytes(key), &sink);
    if (status == PICKET_OK) value.swap(read);
    return status;
  }
  picket_status store(std::string_view key, std::string_view value) const {
    return storage_ && PICKET_HAS(storage_, put) ? storage_->put(host_, bytes(key), bytes(value)) : PICKET_E_UNSUPPORTED;
  }
  picket_status forget(std::string_view key) const {
    return storage_ && PICKET_HAS(storage_, remove) ? storage_->remove(host_, bytes(key)) : PICKET_E_UNSUPPORTED;
  }

 private:
  template <class Table>
  [[nodiscard]] const Table* table(const char* id) const {
    return static_cast<const Table*>(host_->get_extension(host_, id));
  }
  [[nodiscard]] static picket_sink append_to(std::string& text) {
    return {&text, [](void* ctx, picket_bytes part) {
              try {
                static_cast<std::string*>(ctx)->append(view(part));
              } catch (...) {
              }
            }};
  }

  const picket_host* host_;
  const picket_host_bus* bus_;
  const picket_host_settings* settings_;
  const picket_host_storage* storage_;
  const picket_host_timer* timer_;
  const picket_host_health* health_;
};

template <class P>
concept Plugin = std::constructible_from<P, Host> && requires(P p, std::string_view settings, std::uint64_t revision) {
  { p.start(settings, revision) } -> std::same_as<picket_status>;
  { p.stop() } -> std::same_as<void>;
};

// Through it a member's name is ambiguous when the class has one of that name, whatever it takes and whether or not it is private.
struct HookNames {
  int apply, on_message, on_request, on_stream, on_reply, on_credit, on_cancel, on_loss, on_timer;
};
template <class P, bool is_final = std::is_final_v<P>>
struct Named : P, HookNames {};
template <class P>
struct Named<P, true> : HookNames {};  // nothing derives from P: what is private in it is not seen

// The tables of one plugin class. What a class does not have stays NULL.
template <Plugin P>
class Adapter {
 public:
  static picket_status create(const picket_host* host, const char* wanted, const char* own_id, picket_plugin** out) noexcept {
    if (host == nullptr || wanted == nullptr || out == nullptr) return PICKET_E_INVALID;
    return guarded(host, [&] {
      if (std::strcmp(wanted, own_id) != 0)
        return Host(host).fail(PICKET_E_INVALID, "this plugin is " + std::string(own_id) + ", not " + wanted + ": its manifest and PICKET_PLUGIN must name the same id");
      auto self = std::make_unique<Instance>(host);
      *out = &self.release()->table;
      return picket_status{PICKET_OK};
    });
  }

 private:
  struct Instance {
    explicit Instance(const picket_host* h) : host(h), plugin(Host(h)) {
      table = {sizeof table, 0, this, &start, &stop, &destroy, &get_extension};
    }
    const picket_host* host;
    P plugin;
    picket_plugin table{};
  };
  static Instance& self(picket_plugin* p) { return *static_cast<Instance*>(p->ctx); }

  // Nothing leaves through the boundary but a status; the text of an exception goes to set_error and to `tell`.
  template <class Call, class Tell>
  static picket_status guarded(const picket_host* host, Call&& call, Tell&& tell) noexcept {
    const auto caught = [&](const char* why) {
      host->set_error(host, bytes(why));
      tell(why);
      return PICKET_E_INTERNAL;
    };
    try {
      return call();
    } catch (const std::exception& e) {
      return caught(e.what());
    } catch (...) {
      return caught("an exception that is not a std::exception");
    }
  }
  template <class Call>
  static picket_status guarded(const picket_host* host, Call&& call) noexcept {
    return guarded(host, call, [](const char*) {});
  }
  // For hooks that have no status: nobody asks for set_error's text there, so the log has it. No allocation: memory may be what ran out.
  template <class Call, class Tell>
  static void guarded_hook(Instance& me, const char* hook, Call&& call, Tell&& tell) noexcept {
    const auto also_log = [&](const char* why) {
      char line[512];
      std::snprintf(line, sizeof line, "exception in %s: %s", hook, why);
      me.host->log(me.host, PICKET_LOG_ERROR, bytes(line));
      tell(why);
    };
    (void)guarded(me.host, [&] {
      call(me.plugin);
      return PICKET_OK;
    }, also_log);
  }

  static picket_status start(picket_plugin* p, picket_bytes settings, std::uint64_t revision) noexcept {
    return guarded(self(p).host, [&] { return self(p).plugin.start(view(settings), revision); });
  }
  static picket_status stop(picket_plugin* p, std::uint32_t) noexcept {
    return guarded(self(p).host, [&] {
      self(p).plugin.stop();
      return PICKET_OK;
    });
  }
  static void destroy(picket_plugin* p) noexcept { delete &self(p); }

#define PICKET_HOOK(name, parameters, arguments)                                                   \
  static void name parameters noexcept {                                                           \
    guarded_hook(self(p), #name, [&](P& plugin) { plugin.name arguments; }, [](const char*) {});   \
  }
  PICKET_HOOK(on_message, (picket_plugin * p, const picket_message* m), (Message(*m)))
  PICKET_HOOK(on_stream, (picket_plugin * p, std::uint64_t token, picket_bytes chunk), (token, view(chunk)))
  PICKET_HOOK(on_reply, (picket_plugin * p, std::uint64_t token, picket_status status, const picket_message* m), (token, status, Message(*m)))
  PICKET_HOOK(on_credit, (picket_plugin * p, std::uint64_t id, std::uint64_t count), (id, count))
  PICKET_HOOK(on_cancel, (picket_plugin * p, std::uint64_t id), (id))
  PICKET_HOOK(on_loss, (picket_plugin * p, picket_bytes topic, std::uint64_t count), (view(topic), count))
  PICKET_HOOK(on_timer, (picket_plugin * p, std::uint64_t id), (id))
#undef PICKET_HOOK
  // Without an answer the asker would wait until its deadline.
  static void on_request(picket_plugin* p, std::uint64_t id, const picket_message* m) noexcept {
    constexpr std::size_t most_bytes = 1000;
    guarded_hook(self(p), "on_request", [&](P& plugin) { plugin.on_request(id, Message(*m)); },
                 [&](const char* why) { Host(self(p).host).refuse(id, PICKET_E_INTERNAL, std::string_view(why).substr(0, most_bytes)); });
  }
  static picket_status apply(picket_plugin* p, picket_bytes settings, std::uint64_t revision) noexcept {
    return guarded(self(p).host, [&] { return self(p).plugin.apply(view(settings), revision); });
  }

// A member that has a hook's name but is not called as one would stay silent: say so while it compiles.
#define PICKET_WIRE(table, name, arguments, takes)                                                                                        \
  if constexpr (requires(P p, const std::uint64_t number, const std::string_view text, const picket_status status, const Message& message) { \
                  p.name arguments;                                                                                                       \
                })                                                                                                                        \
    table.name = &name;                                                                                                                   \
  else                                                                                                                                    \
    static_assert(requires { &Named<P>::name; } && !requires { &P::name; }, #name " must be public and take " takes ", or it would never be called")
  static picket_plugin_bus make_bus() {
    picket_plugin_bus bus{};
    bus.struct_size = sizeof bus;
    PICKET_WIRE(bus, on_message, (message), "(const Message&)");
    PICKET_WIRE(bus, on_request, (number, message), "(std::uint64_t, const Message&)");
    PICKET_WIRE(bus, on_stream, (number, text), "(std::uint64_t, std::string_view)");
    PICKET_WIRE(bus, on_reply, (number, status, message), "(std::uint64_t, picket_status, const Message&)");
    PICKET_WIRE(bus, on_credit, (number, number), "(std::uint64_t, std::uint64_t)");
    PICKET_WIRE(bus, on_cancel, (number), "(std::uint64_t)");
    PICKET_WIRE(bus, on_loss, (text, number), "(std::string_view, std::uint64_t)");
    return bus;
  }
  static picket_plugin_settings make_settings() {
    picket_plugin_settings settings{};
    settings.struct_size = sizeof settings;
    PICKET_WIRE(settings, apply, (text, number), "(std::string_view, std::uint64_t)");
    return settings;
  }
  static picket_plugin_timer make_timer() {
    picket_plugin_timer timer{};
    timer.struct_size = sizeof timer;
    PICKET_WIRE(timer, on_timer, (number), "(std::uint64_t)");
    return timer;
  }
#undef PICKET_WIRE

  static const void* get_extension(picket_plugin*, const char* id) noexcept {
    static const picket_plugin_bus bus = make_bus();
    static const picket_plugin_settings settings = make_settings();
    static const picket_plugin_timer timer = make_timer();
    if (std::strcmp(id, PICKET_EXT_BUS) == 0) return &bus;
    if (std::strcmp(id, PICKET_EXT_SETTINGS) == 0) return settings.apply != nullptr ? &settings : nullptr;
    if (std::strcmp(id, PICKET_EXT_TIMER) == 0) return timer.on_timer != nullptr ? &timer : nullptr;
    return nullptr;
  }
};

}  // namespace picket::plugin

// Defines the one exported symbol. Once per shared object, at namespace scope.
#define PICKET_PLUGIN(plugin_id, Class)                                                                              \
  extern "C" {                                                                                                       \
  static picket_status picket_plugin_create_(const picket_host* host, const char* wanted, picket_plugin** out) {     \
    return ::picket::plugin::Adapter<Class>::create(host, wanted, plugin_id, out);                                   \
  }                                                                                                                  \
  PICKET_EXPORT extern const picket_entry picket_plugin_entry_v1;                                                    \
  const picket_entry picket_plugin_entry_v1 = {                                                                      \
      PICKET_ENTRY_MAGIC, sizeof(picket_entry), PICKET_ABI_MAJOR, PICKET_ABI_MINOR, 0, 0, &picket_plugin_create_};   \
  }
