// One topic: its kind, who listens, who answers, and the values a state topic keeps.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "bus/bus.hpp"
#include "bus/spin_lock.hpp"

namespace picket::bus {

class PeerCore;

// Limits on what one state topic keeps; a publication beyond them is refused (TOO_LARGE).
constexpr std::size_t kMaxStateKeys = 4096;
constexpr std::size_t kMaxStateBytes = 16u << 20;

// Lives as long as the router. All members any-thread; the lock of a topic is taken before those of inboxes.
class Topic {
 public:
  Topic(std::string name, Kind kind) : name_(std::move(name)), kind_(kind) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Kind kind() const { return kind_.load(std::memory_order_relaxed); }

  // Declarations are counted: once nobody declares it and nothing is kept, the kind may change.
  [[nodiscard]] bool may_be(Kind kind) const;
  void declare(Kind kind);
  void undeclare();

  void add_subscriber(PeerCore& peer);  // hands it what is kept, unless it is one already
  void remove_subscriber(PeerCore& peer);
  void add_answerer(PeerCore& peer);
  void remove_answerer(PeerCore& peer);
  void add_standby(PeerCore& peer);  // answers only those who name it as such
  // In one step: `next` is in the place of `before` (may be null) from here on.
  void hand_over(PeerCore* before, PeerCore& next, bool next_listens);
  // UNAVAILABLE: nobody (of that name) answers; CONFLICT: several do and none was named.
  [[nodiscard]] Status find_answerer(std::string_view name, std::shared_ptr<PeerCore>& answerer) const;

  // To every subscriber or to none; afterwards `message` may have been moved from.
  // `count` is one more, under the topic's lock.
  [[nodiscard]] Status publish(MessagePtr& message, std::atomic<std::uint64_t>& count);
  [[nodiscard]] bool has_subscribers() const { return has_subscribers_.load(std::memory_order_acquire); }
  void count_message();  // one that publish() does not see
  void forget(std::string_view key);  // empty: all
  // Drops what this peer published. Returns what the subscribers got in its place: each key, empty.
  std::vector<MessagePtr> withdraw(std::string_view publisher);
  [[nodiscard]] Router::TopicInfo info() const;

 private:
  void add_subscriber_locked(PeerCore& peer);
  [[nodiscard]] Status publish_event(MessagePtr& message);
  [[nodiscard]] Status publish_state(const MessagePtr& message);
  void hand_out_state(const MessagePtr& message);

  const std::string name_;
  std::atomic<Kind> kind_;
  mutable SpinLock mutex_;
  std::size_t declared_ = 0;
  std::vector<PeerCore*> subscribers_;  // in the order of their addresses, which is the order their inboxes are locked in
  std::vector<PeerCore*> answerers_, standbys_;
  std::unordered_map<std::string, MessagePtr> kept_;
  std::size_t kept_bytes_ = 0;
  std::atomic<bool> has_subscribers_{false};
  std::atomic<std::uint64_t> messages_{0};
};

}  // namespace picket::bus
