// picket/testing/host_state.hpp - what a FakeHost remembers. Include fake_host.hpp.
// One mutex guards everything here; it is never held while the plugin is called.
#pragma once

#include <picket/ext/bus.h>
#include <picket/plugin.h>
#include <picket/testing/records.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <string_view>
#include <thread>

namespace picket::testing {

class HostState {
 public:
  HostState(const HostState&) = delete;
  HostState& operator=(const HostState&) = delete;

  // ---- how this host is; before create --------------------------------------------------------------------------------------
  void allow(Allow topics) { allow_ = std::move(topics); }
  void storage_limit(std::size_t bytes) { storage_limit_ = bytes; }

  // ---- injected failures; any time ------------------------------------------------------------------------------------------
  // Calls by the member's name ("publish", "stream_write", ...); the timer's are "set_timer" and "cancel_timer".
  void fail_call(const std::string& name, picket_status status) {
    const std::lock_guard lock(mutex_);
    failing_[name] = status;
  }
  void fail_calls(picket_status status) { fail_call("*", status); }
  void fail_nothing() {
    const std::lock_guard lock(mutex_);
    failing_.clear();
  }

  // ---- what the plugin did; copies ------------------------------------------------------------------------------------------
  [[nodiscard]] std::vector<std::string> violations() const { return copy(violations_); }
  [[nodiscard]] std::vector<LogRecord> logs() const { return copy(logs_); }
  [[nodiscard]] std::vector<Message> published() const { return copy(published_); }
  [[nodiscard]] std::vector<Message> published(const std::string& topic) const {
    std::vector<Message> out = published();
    std::erase_if(out, [&](const Message& m) { return m.topic != topic; });
    return out;
  }
  [[nodiscard]] std::vector<Asked> asked() const { return copy(asked_); }
  [[nodiscard]] std::vector<std::string> subscriptions() const { return copy(subscriptions_); }
  [[nodiscard]] std::vector<Observed> observed() const { return copy(observed_); }
  [[nodiscard]] std::vector<Health> health() const { return copy(healths_); }
  // As the agent would show it now: the worse of what it last observed and last reported since its start, of equals the newer (ext/health.h).
  [[nodiscard]] Health shown() const { return copy(shown_); }
  [[nodiscard]] std::map<std::uint64_t, Timer> timers() const { return copy(timers_); }
  [[nodiscard]] std::map<std::string, std::string> stored() const { return copy(stored_); }
  void put_stored(const std::string& key, const std::string& value) {
    const std::lock_guard lock(mutex_);
    stored_[key] = value;
  }
  // What came of a request given to the plugin; its stream is in it.
  [[nodiscard]] Answered answer(std::uint64_t request_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = answered_.find(request_id);
    return found != answered_.end() ? found->second : Answered{};
  }
  // Requests that it was given and owes an answer.
  [[nodiscard]] std::size_t unanswered() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(answered_.begin(), answered_.end(), [](const auto& a) { return !a.second.done && a.second.wanted; }));
  }
  // The latest text of set_error; emptied when a call into the plugin begins.
  [[nodiscard]] std::string error() const { return copy(error_); }
  // How often a member was called, also when the call was refused.
  [[nodiscard]] std::uint64_t calls(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = calls_.find(name);
    return found != calls_.end() ? found->second : 0;
  }
  [[nodiscard]] std::uint64_t calls() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t sum = 0;
    for (const auto& [name, count] : calls_) sum += count;
    return sum;
  }
  [[nodiscard]] std::uint64_t now() const { return copy(now_); }

 protected:
  enum class State { absent, created, running, stopped };
  struct Owed {
    enum Kind { message, credit, cancelled, reply } kind;
    std::uint64_t id = 0, bytes = 0;
    Message kept = {};
  };
  struct Due {
    enum Kind { timer, question, request } kind;
    std::uint64_t id, at;
  };

  HostState() = default;
  ~HostState() = default;

  // ---- for the driving half -------------------------------------------------------------------------------------------------
  static picket_bytes lend(std::string_view text) { return {text.data(), text.size()}; }
  static picket_message lend(const Message& m) {
    return {sizeof(picket_message), 0, lend(m.topic), lend(m.key), lend(m.content_type), lend(m.sender), lend(m.payload), m.timeout_ms, 0};
  }
  void violate(const std::string& what) {
    const std::lock_guard lock(mutex_);
    violate_locked(what);
  }
  void enter(State state) {
    const std::lock_guard lock(mutex_);
    state_ = state;
    caller_ = std::this_thread::get_id();
    error_.clear();
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    caller_ = {};
    changed_locked();
  }
  void set_state(State state) {
    const std::lock_guard lock(mutex_);
    state_ = state;
  }
  void begin_life() {
    const std::lock_guard lock(mutex_);
    said_[0] = said_[1] = {};
    shown_ = {PICKET_HEALTH_HEALTHY, {}};
  }
  void expect_revision(std::uint64_t revision) {
    const std::lock_guard lock(mutex_);
    revisions_.insert(revision);
  }
  [[nodiscard]] bool is_subscribed(std::string_view topic) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(subscriptions_.begin(), subscriptions_.end(), [&](const std::string& filter) { return matches(filter, topic); });
  }
  void retain(const Message& message) {
    const std::lock_guard lock(mutex_);
    kept_[{message.topic, message.key}] = message;
  }
  std::uint64_t open_request(const Message& message, std::uint64_t credit) {
    const std::lock_guard lock(mutex_);
    Answered fresh;
    fresh.credit = credit;
    fresh.deadline = now_ + message.timeout_ms;
    answered_[++last_request_] = fresh;
    if (credit > 0) owed_.push_back({Owed::credit, last_request_, credit});
    return last_request_;
  }
  std::optional<std::uint64_t> add_credit(std::uint64_t id, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    const auto found = answered_.find(id);
    if (found == answered_.end() || found->second.done || !found->second.wanted) return std::nullopt;
    found->second.refused_writes = 0;
    return found->second.credit += bytes;
  }
  bool close_request(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = answered_.find(id);
    if (found == answered_.end() || found->second.done || !found->second.wanted) return false;
    found->second.wanted = false;
    return true;
  }
  [[nodiscard]] std::optional<Asked> open_asked(std::uint64_t token) {
    const std::lock_guard lock(mutex_);
    const Asked* found = find_open(token);
    return found != nullptr ? std::optional(*found) : std::nullopt;
  }
  [[nodiscard]] std::uint64_t credit_of(std::uint64_t token) {
    const std::lock_guard lock(mutex_);
    const Asked* found = find_open(token);
    return found != nullptr ? found->credit : 0;
  }
  bool take_credit(std::uint64_t token, std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    Asked* found = find_open(token);
    if (found == nullptr || found->credit < bytes) return false;
    found->credit -= bytes;
    return true;
  }
  bool close_asked(std::uint64_t token) {
    const std::lock_guard lock(mutex_);
    Asked* found = find_open(token);
    if (found == nullptr) return false;
    found->open = false;
    --open_requests_;
    return true;
  }
  // A stopped plugin is owed nothing: its requests are cancelled, those to it answered by the host, its timers gone.
  void forget_open_work() {
    const std::lock_guard lock(mutex_);
    owed_.clear();
    timers_.clear();
    subscriptions_.clear();
    for (Asked& asked : asked_) asked.open = false;
    open_requests_ = 0;
    for (auto& [id, answered] : answered_) answered.wanted = answered.wanted && answered.done;
  }
  std::optional<Owed> next_owed() {
    const std::lock_guard lock(mutex_);
    while (!owed_.empty()) {
      Owed first = std::move(owed_.front());
      owed_.pop_front();
      if (first.kind != Owed::credit) return first;
      const Answered& to = answered_[first.id];
      first.bytes = to.credit;
      if (to.wanted && !to.done && to.credit > 0) return first;
    }
    return std::nullopt;
  }
  // The earliest of timers and deadlines up to then; the clock stands there.
  std::optional<Due> next_due(std::uint64_t until) {
    const std::lock_guard lock(mutex_);
    std::optional<Due> first;
    const auto consider = [&](Due due) {
      if (due.at <= until && (!first || due.at < first->at)) first = due;
    };
    for (const auto& [id, timer] : timers_) consider({Due::timer, id, timer.due});
    for (const Asked& asked : asked_)
      if (asked.open) consider({Due::question, asked.token, asked.deadline});
    for (const auto& [id, answered] : answered_)
      if (!answered.done && answered.wanted) consider({Due::request, id, answered.deadline});
    if (!first) return std::nullopt;
    now_ = std::max(now_, first->at);
    if (first->kind == Due::timer) {
      Timer& timer = timers_[first->id];
      if (timer.period > 0) timer.due += timer.period;
      else timers_.erase(first->id);
    }
    return first;
  }
  void set_now(std::uint64_t now) {
    const std::lock_guard lock(mutex_);
    now_ = now;
  }
  [[nodiscard]] std::uint64_t changes() const { return copy(changes_); }
  void wait_for_change(std::uint64_t seen, std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, until, [&] { return changes_ != seen; });
  }


  // ---- for the tables; the mutex is held --------------------------------------------------------------------------------------
  static constexpr std::size_t kMostRecords = 200'000;  // of each kind; what comes later is counted by calls() only
  static constexpr std::size_t kMostTimers = 64, kMostOpenRequests = 1024, kMostFilters = 1024, kMostStateKeys = 4096, kMostStoredKeys = 4096;  // as the agent has it
  static constexpr std::uint64_t kPatience = 1000;  // refused stream writes without new credit, until we call it spinning

  template <class Value>
  [[nodiscard]] Value copy(const Value& value) const {
    const std::lock_guard lock(mutex_);
    return value;
  }
  void changed_locked() {
    ++changes_;
    changed_.notify_all();
  }
  void violate_locked(const std::string& what) {
    if (violations_.size() < 1000) violations_.push_back("PLUGIN_MISBEHAVING: " + what);
    changed_locked();
  }
  template <class Record>
  static void note(std::vector<Record>& records, Record record) {
    if (records.size() < kMostRecords) records.push_back(std::move(record));
  }
  void show(int road, Health health) {
    said_[road] = std::move(health);
    const Health& other = said_[1 - road];
    shown_ = said_[road].health >= other.health ? said_[road] : other;
  }
  static bool matches(std::string_view filter, std::string_view topic) {
    if (filter == "*" || filter == topic) return true;
    return filter.size() > 2 && filter.substr(filter.size() - 2) == ".*" && topic.substr(0, filter.size() - 1) == filter.substr(0, filter.size() - 1);
  }
  static bool is_topic(std::string_view topic) {
    if (topic.empty() || topic.size() > PICKET_BUS_MAX_TOPIC || topic.front() == '.' || topic.back() == '.') return false;
    if (topic.find("..") != std::string_view::npos) return false;
    return topic.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string_view::npos;
  }
  static bool is_filter(std::string_view filter) {
    return filter == "*" || is_topic(filter.size() > 2 && filter.substr(filter.size() - 2) == ".*" ? filter.substr(0, filter.size() - 2) : filter);
  }
  static bool is_allowed(const std::optional<std::vector<std::string>>& list, std::string_view topic) {
    return !list || std::any_of(list->begin(), list->end(), [&](const std::string& filter) { return matches(filter, topic); });
  }
  static bool is_event(const Allow& allow, std::string_view topic) { return std::find(allow.events.begin(), allow.events.end(), topic) != allow.events.end(); }
  Asked* find_open(std::uint64_t token) {
    const auto found = std::find_if(asked_.rbegin(), asked_.rend(), [&](const Asked& a) { return a.open && a.token == token; });
    return found != asked_.rend() ? &*found : nullptr;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t changes_ = 0;
  State state_ = State::absent;
  std::thread::id caller_;  // inside a call into the plugin: whose thread
  std::uint64_t now_ = 0, last_request_ = 0;
  Allow allow_;
  std::size_t storage_limit_ = 16u << 20, open_requests_ = 0;
  std::map<std::string, picket_status> failing_;
  std::map<std::string, std::uint64_t> calls_;
  std::set<std::uint64_t> revisions_;

  std::vector<std::string> violations_, subscriptions_;
  std::vector<LogRecord> logs_;
  std::vector<Message> published_;
  std::vector<Asked> asked_;
  std::vector<Observed> observed_;
  std::vector<Health> healths_;
  Health said_[2] = {}, shown_ = {};  // with the settings, reported
  std::map<std::uint64_t, Answered> answered_;
  std::map<std::uint64_t, Timer> timers_;
  std::map<std::string, std::string> stored_;
  std::map<std::string, std::set<std::string>> state_keys_;  // that it published, of each topic
  std::map<std::pair<std::string, std::string>, Message> kept_;
  std::deque<Owed> owed_;
  std::string error_;
};

}  // namespace picket::testing
