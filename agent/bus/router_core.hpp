// Behind the Router: the tables of topics and peers. Peers keep it alive.
#pragma once

#include <atomic>
#include <memory>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "bus/bus.hpp"
#include "bus/deadlines.hpp"
#include "bus/peer_core.hpp"
#include "bus/topic.hpp"

namespace picket::runtime {
class Executor;
class Timers;
}

namespace picket::bus {

// Order of locks: router, topic, open request, inbox. Publishing takes only topic and inbox.
class RouterCore : public std::enable_shared_from_this<RouterCore> {
 public:
  RouterCore(runtime::Executor& executor, runtime::Timers& timers);
  RouterCore(const RouterCore&) = delete;
  RouterCore& operator=(const RouterCore&) = delete;

  [[nodiscard]] Result<std::shared_ptr<PeerCore>> attach(PeerOptions options, Handler& handler);
  void detach(PeerCore& peer);
  [[nodiscard]] Result<> take_over(PeerCore& next);
  [[nodiscard]] Status subscribe(PeerCore& peer, std::string_view filter);
  [[nodiscard]] Status unsubscribe(PeerCore& peer, std::string_view filter);
  // After a narrowing.
  void keep_filters_within(PeerCore& peer, const std::vector<std::string>& allowed);
  void keep_answers(PeerCore& peer, const std::vector<std::string>& topics);
  [[nodiscard]] Topic* find_topic(std::string_view name) const;
  void forget(std::string_view topic, std::string_view key);
  void withdraw(Topic& topic, std::string_view publisher);
  [[nodiscard]] std::vector<Router::TopicInfo> topics() const;

  void set_tap(Router::Tap tap);
  [[nodiscard]] bool has_tap() const { return has_tap_.load(std::memory_order_relaxed); }
  void tell_tap(const Seen& seen) const;

  [[nodiscard]] RequestId next_id() { return last_id_.fetch_add(1, std::memory_order_relaxed) + 1; }
  [[nodiscard]] Deadlines& deadlines() { return *deadlines_; }

 private:
  [[nodiscard]] Result<> check(const PeerOptions& options) const;
  [[nodiscard]] Topic* find_topic_locked(std::string_view name) const;
  [[nodiscard]] Topic& declare(const std::string& name, Kind kind);
  void update_subscriptions(PeerCore& peer);  // after some of its filters went

  runtime::Executor& executor_;
  std::shared_ptr<Deadlines> deadlines_;
  std::atomic<RequestId> last_id_{0};

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, std::unique_ptr<Topic>, HashText, std::equal_to<>> topics_;
  std::unordered_map<std::string, PeerCore*> peers_;
  std::unordered_set<PeerCore*> beside_;  // stand by, or were taken over from: attached, but not by their names

  mutable std::shared_mutex tap_mutex_;
  Router::Tap tap_;
  std::atomic<bool> has_tap_{false};
};

}  // namespace picket::bus
