// picket/testing/fake_host.hpp - a whole host in memory, for a plugin's own tests: no agent, no root, no network. Header only.
//
//   picket::testing::FakeHost host;
//   host.use(picket_plugin_entry_v1);                 // or host.load("./hello.so"), which stays loaded for ever
//   host.create("com.vendor.hello");
//   host.start(R"({"greeting":"hi"})");
//   const auto id = host.request({.topic = "com.vendor.hello", .payload = "Ann"});
//   host.wait_for([&] { return host.answer(id).done; });
//   host.stop();
//   host.violations();                                // empty, when the plugin kept the rules of plugin.h
//
// The test's thread drives: create, start, message, request, reply, advance... call into the plugin and return when it did. What the host owes
// the plugin by then (kept state, automatic replies, cancelled requests) is delivered before they return, and by wait_for.
// The plugin may call the host from any thread. A broken rule is written down as "PLUGIN_MISBEHAVING: ..." and the call refused.
// Settings are handed on as they are: fill in the defaults of your schema yourself.
#pragma once

#include <picket/testing/host_tables.hpp>

#include <dlfcn.h>

#include <algorithm>

namespace picket::testing {

class FakeHost : public HostTables {
 public:
  FakeHost() = default;
  ~FakeHost() {
    if (started_) stop();
    destroy();
  }

  // ---- the plugin -----------------------------------------------------------------------------------------------------------
  void use(const picket_entry& entry) { entry_ = &entry; }
  // False: why() says it, in the loader's words.
  [[nodiscard]] bool load(const std::string& path) {
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      const char* text = ::dlerror();
      why_ = text != nullptr ? text : "dlopen failed";
      return false;
    }
    entry_ = static_cast<const picket_entry*>(::dlsym(library, PICKET_ENTRY_SYMBOL));
    if (entry_ == nullptr) why_ = path + " has no " PICKET_ENTRY_SYMBOL;
    return entry_ != nullptr;
  }
  [[nodiscard]] const picket_entry* entry() const { return entry_; }
  [[nodiscard]] picket_plugin* plugin() const { return plugin_; }
  [[nodiscard]] const std::string& why() const { return why_; }

  // ---- its life -------------------------------------------------------------------------------------------------------------
  picket_status create(const std::string& id) {
    if (entry_ == nullptr || plugin_ != nullptr) return PICKET_E_CONFLICT;
    picket_plugin* made = nullptr;
    const picket_status status = inside(State::created, [&] { return entry_->create(&host_, id.c_str(), &made); });
    check_status("create", status);
    if (status != PICKET_OK) return status;
    if (made == nullptr || !PICKET_HAS(made, start) || !PICKET_HAS(made, stop) || !PICKET_HAS(made, destroy) || !PICKET_HAS(made, get_extension)) {
      violate("create answered OK without a whole picket_plugin table");
      return PICKET_E_INTERNAL;
    }
    plugin_ = made;
    bus_of_plugin_ = extension<picket_plugin_bus>(PICKET_EXT_BUS);
    settings_of_plugin_ = extension<picket_plugin_settings>(PICKET_EXT_SETTINGS);
    timer_of_plugin_ = extension<picket_plugin_timer>(PICKET_EXT_TIMER);
    return PICKET_OK;
  }

  picket_status start(const std::string& settings = "{}", std::uint64_t revision = 1) {
    if (plugin_ == nullptr || started_) return PICKET_E_CONFLICT;
    begin_life();
    const picket_status status = configure("start", State::running, revision, [&] { return plugin_->start(plugin_, lend(settings), revision); });
    started_ = status == PICKET_OK;
    if (!started_) set_state(State::stopped);
    pump();
    return status;
  }

  // As the host does it: a plugin without picket.settings/1 is stopped and started again.
  picket_status apply(const std::string& settings, std::uint64_t revision) {
    if (!started_) return PICKET_E_CONFLICT;
    if (settings_of_plugin_ == nullptr || !PICKET_HAS(settings_of_plugin_, apply)) {
      stop();
      return start(settings, revision);
    }
    const picket_status status =
        configure("apply", State::running, revision, [&] { return settings_of_plugin_->apply(plugin_, lend(settings), revision); });
    pump();
    return status;
  }

  picket_status stop(std::uint32_t deadline_ms = 1000) {
    if (!started_) return PICKET_E_CONFLICT;
    const picket_status status = inside(State::running, [&] { return plugin_->stop(plugin_, deadline_ms); });
    check_status("stop", status);
    started_ = false;
    set_state(State::stopped);
    forget_open_work();
    answering_.clear();
    return status;
  }

  void destroy() {
    if (plugin_ == nullptr || started_) return;
    inside(State::stopped, [&] {
      plugin_->destroy(plugin_);
      return PICKET_OK;
    });
    plugin_ = nullptr;
    bus_of_plugin_ = nullptr;
    settings_of_plugin_ = nullptr;
    timer_of_plugin_ = nullptr;
    set_state(State::absent);
  }

  // ---- what comes from the bus ----------------------------------------------------------------------------------------------
  // False: nobody subscribed, nothing delivered.
  bool message(const Message& message) {
    if (!is_subscribed(message.topic)) return false;
    deliver_message(message);
    pump();
    return true;
  }
  // A state topic: the latest value per key is handed to who subscribes later.
  void keep(const Message& kept) {
    retain(kept);
    message(kept);
  }
  // Gives the plugin a request and returns its id; 0: it answers no requests. `credit` is what its stream may bring at first.
  std::uint64_t request(const Message& request, std::uint64_t credit = 0) {
    if (!started_ || bus_of_plugin_ == nullptr || !PICKET_HAS(bus_of_plugin_, on_request)) return 0;
    Message given = request;
    if (given.timeout_ms == 0) given.timeout_ms = 10'000;
    const std::uint64_t id = open_request(given, credit);
    const picket_message borrowed = lend(given);
    enter_plugin([&] { bus_of_plugin_->on_request(plugin_, id, &borrowed); });
    pump();
    return id;
  }
  void grant(std::uint64_t id, std::uint64_t bytes) {
    const std::optional<std::uint64_t> now = add_credit(id, bytes);
    if (now && bus_of_plugin_ != nullptr && PICKET_HAS(bus_of_plugin_, on_credit)) enter_plugin([&] { bus_of_plugin_->on_credit(plugin_, id, *now); });
    pump();
  }
  void cancel(std::uint64_t id) {
    if (close_request(id)) tell_cancelled(id);
    pump();
  }
  // Answers a request of the plugin's. False: no such open token, or more stream than it granted.
  bool stream(std::uint64_t token, const std::string& chunk) {
    if (!take_credit(token, chunk.size())) return false;
    if (bus_of_plugin_ != nullptr && PICKET_HAS(bus_of_plugin_, on_stream))
      enter_plugin([&] { bus_of_plugin_->on_stream(plugin_, token, lend(chunk)); });
    pump();
    return true;
  }
  bool reply(std::uint64_t token, picket_status status, const std::string& payload = {}, const std::string& content_type = {}) {
    if (!close_asked(token)) return false;
    deliver_reply(token, {status, payload, content_type, {}});
    pump();
    return true;
  }
  void loss(const std::string& topic, std::uint64_t count) {
    if (bus_of_plugin_ != nullptr && PICKET_HAS(bus_of_plugin_, on_loss)) enter_plugin([&] { bus_of_plugin_->on_loss(plugin_, lend(topic), count); });
    pump();
  }
  // From now on requests of this topic ("*": of those that have no other) are answered by themselves: nullopt leaves one open.
  using Responder = std::function<std::optional<Reply>(const Asked&)>;
  void when_asked(const std::string& topic, Responder responder) { responders_[topic] = std::move(responder); }

  // ---- time -----------------------------------------------------------------------------------------------------------------
  // Moves the clock: timers fire and deadlines pass in their order.
  void advance(std::uint64_t ms) {
    const std::uint64_t until = now() + ms;
    while (auto due = next_due(until)) {
      if (due->kind == Due::timer) {
        if (timer_of_plugin_ != nullptr && PICKET_HAS(timer_of_plugin_, on_timer)) enter_plugin([&] { timer_of_plugin_->on_timer(plugin_, due->id); });
      } else if (due->kind == Due::question) {
        if (close_asked(due->id)) deliver_reply(due->id, {PICKET_E_TIMEOUT, "nobody answered in time", {}, {}});
      } else if (close_request(due->id)) {
        tell_cancelled(due->id);
      }
      pump();
    }
    set_now(until);
    pump();
  }

  // True as soon as the predicate is; delivers what is owed meanwhile. Real time: for plugins with threads of their own.
  bool wait_for(const std::function<bool()>& predicate, std::chrono::milliseconds deadline = std::chrono::seconds(10)) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (true) {
      const std::uint64_t seen = changes();
      pump();
      if (predicate()) return true;
      const auto now = std::chrono::steady_clock::now();
      if (now >= end) return false;
      wait_for_change(seen, std::min(end, now + std::chrono::milliseconds(10)));
    }
  }

  // The longest that one call into the plugin took.
  [[nodiscard]] std::chrono::milliseconds longest_call() const { return longest_; }

 private:
  template <class Table>
  [[nodiscard]] const Table* extension(const char* id) {
    const auto* table = static_cast<const Table*>(plugin_->get_extension(plugin_, id));
    if (table != nullptr && table->struct_size < 8) {
      violate(std::string("its table of ") + id + " has no struct_size");
      return nullptr;
    }
    return table;
  }

  // One call at a time, and set_error only from its thread.
  template <class Call>
  picket_status inside(State state, Call&& call) {
    const std::lock_guard one(call_mutex_);
    enter(state);
    const auto begin = std::chrono::steady_clock::now();
    const picket_status status = call();
    longest_ = std::max(longest_, std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin));
    leave();
    return status;
  }
  template <class Call>
  void enter_plugin(Call&& call) {
    if (!started_) return;
    inside(State::running, [&] {
      call();
      return PICKET_OK;
    });
  }
  template <class Call>
  picket_status configure(const char* name, State state, std::uint64_t revision, Call&& call) {
    expect_revision(revision);
    const picket_status status = inside(state, std::forward<Call>(call));
    check_status(name, status);
    if (status != PICKET_OK && error().empty()) violate(std::string(name) + " failed without saying why (set_error)");
    return status;
  }
  void check_status(const char* name, picket_status status) {
    if (status > 0) violate(std::string(name) + " returned " + std::to_string(status) + ", which is no status");
  }

  void deliver_message(const Message& message) {
    if (bus_of_plugin_ == nullptr || !PICKET_HAS(bus_of_plugin_, on_message)) return;
    const picket_message borrowed = lend(message);
    enter_plugin([&] { bus_of_plugin_->on_message(plugin_, &borrowed); });
  }
  void deliver_reply(std::uint64_t token, const Reply& reply) {
    if (bus_of_plugin_ == nullptr || !PICKET_HAS(bus_of_plugin_, on_reply)) return;
    const Message answer{.payload = reply.payload, .content_type = reply.content_type};
    const picket_message borrowed = lend(answer);
    enter_plugin([&] { bus_of_plugin_->on_reply(plugin_, token, reply.status, &borrowed); });
  }
  void tell_cancelled(std::uint64_t id) {
    if (bus_of_plugin_ != nullptr && PICKET_HAS(bus_of_plugin_, on_cancel)) enter_plugin([&] { bus_of_plugin_->on_cancel(plugin_, id); });
  }

  // Bounded: two that answer each other for ever must not hang the test.
  void pump() {
    for (int i = 0; i < 10'000 && started_; ++i) {
      auto owed = next_owed();
      if (!owed) return;
      if (owed->kind == Owed::message) {
        deliver_message(owed->kept);
      } else if (owed->kind == Owed::credit) {
        if (bus_of_plugin_ != nullptr && PICKET_HAS(bus_of_plugin_, on_credit)) enter_plugin([&] { bus_of_plugin_->on_credit(plugin_, owed->id, owed->bytes); });
      } else if (owed->kind == Owed::cancelled) {
        if (close_asked(owed->id)) deliver_reply(owed->id, {PICKET_E_CANCELLED, "cancelled", {}, {}});
      } else {
        answer_by_itself(owed->id);
      }
    }
  }
  // A stream that has used up its credit goes on when more is granted.
  void answer_by_itself(std::uint64_t token) {
    const std::optional<Asked> question = open_asked(token);
    if (!question) {
      answering_.erase(token);
      return;
    }
    if (answering_.count(token) == 0) {
      auto responder = responders_.find(question->message.topic);
      if (responder == responders_.end()) responder = responders_.find("*");
      if (responder == responders_.end()) return;
      std::optional<Reply> reply = responder->second(*question);
      if (!reply) return;
      answering_[token] = {std::move(*reply), 0};
    }
    auto& [reply, sent] = answering_[token];
    while (sent < reply.stream.size()) {
      const std::string chunk = reply.stream.substr(sent, std::min<std::uint64_t>(PICKET_BUS_MAX_PAYLOAD, credit_of(token)));
      if (chunk.empty() || !take_credit(token, chunk.size())) return;
      sent += chunk.size();
      if (bus_of_plugin_ != nullptr && PICKET_HAS(bus_of_plugin_, on_stream)) enter_plugin([&] { bus_of_plugin_->on_stream(plugin_, token, lend(chunk)); });
    }
    const Reply last = std::move(reply);
    answering_.erase(token);
    if (close_asked(token)) deliver_reply(token, last);
  }

  const picket_entry* entry_ = nullptr;
  picket_plugin* plugin_ = nullptr;
  const picket_plugin_bus* bus_of_plugin_ = nullptr;
  const picket_plugin_settings* settings_of_plugin_ = nullptr;
  const picket_plugin_timer* timer_of_plugin_ = nullptr;
  std::string why_;
  bool started_ = false;
  std::mutex call_mutex_;
  std::chrono::milliseconds longest_{0};
  std::map<std::string, Responder> responders_;
  std::map<std::uint64_t, std::pair<Reply, std::size_t>> answering_;
};

}  // namespace picket::testing
