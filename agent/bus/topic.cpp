#include "bus/topic.hpp"

#include <algorithm>
#include <functional>
#include <mutex>

#include "bus/peer_core.hpp"

namespace picket::bus {

bool Topic::may_be(Kind kind) const {
  const std::scoped_lock lock(mutex_);
  return kind_ == kind || (declared_ == 0 && kept_.empty());
}

void Topic::declare(Kind kind) {
  const std::scoped_lock lock(mutex_);
  kind_ = kind;
  ++declared_;
}

void Topic::undeclare() {
  const std::scoped_lock lock(mutex_);
  --declared_;
}

void Topic::add_subscriber(PeerCore& peer) {
  const std::scoped_lock lock(mutex_);
  add_subscriber_locked(peer);
}

void Topic::add_subscriber_locked(PeerCore& peer) {
  const auto at = std::lower_bound(subscribers_.begin(), subscribers_.end(), &peer, std::less<PeerCore*>());
  if (at != subscribers_.end() && *at == &peer) return;
  subscribers_.insert(at, &peer);
  has_subscribers_.store(true, std::memory_order_release);
  if (kept_.empty()) return;
  bool wake = false;
  {
    const std::scoped_lock inbox(peer.inbox.mutex);
    for (const auto& [key, value] : kept_) peer.inbox.push_state({.message = value, .topic = this}, true);
    wake = peer.claim_schedule();
  }
  if (wake) peer.schedule();
}

void Topic::remove_subscriber(PeerCore& peer) {
  const std::scoped_lock lock(mutex_);
  std::erase(subscribers_, &peer);
  has_subscribers_.store(!subscribers_.empty(), std::memory_order_release);
}

void Topic::add_answerer(PeerCore& peer) {
  const std::scoped_lock lock(mutex_);
  answerers_.push_back(&peer);
}

void Topic::remove_answerer(PeerCore& peer) {
  const std::scoped_lock lock(mutex_);
  std::erase(answerers_, &peer);
  std::erase(standbys_, &peer);
}

void Topic::add_standby(PeerCore& peer) {
  const std::scoped_lock lock(mutex_);
  standbys_.push_back(&peer);
}

void Topic::hand_over(PeerCore* before, PeerCore& next, bool next_listens) {
  const std::scoped_lock lock(mutex_);
  std::erase(subscribers_, before);
  std::erase(answerers_, before);
  if (std::erase(standbys_, &next) != 0) answerers_.push_back(&next);
  if (next_listens) add_subscriber_locked(next);
  has_subscribers_.store(!subscribers_.empty(), std::memory_order_release);
}

Status Topic::find_answerer(std::string_view name, std::shared_ptr<PeerCore>& answerer) const {
  const std::scoped_lock lock(mutex_);
  if (name.empty()) {
    if (answerers_.size() > 1) return status_of(Code::conflict);
    if (answerers_.empty()) return status_of(Code::unavailable);
    answerer = answerers_.front()->shared_from_this();
    return kOk;
  }
  for (auto* one : answerers_)
    if (one->name() == name) {
      answerer = one->shared_from_this();
      return kOk;
    }
  for (auto* one : standbys_)
    if (standby_address(one->name()) == name) {
      answerer = one->shared_from_this();
      return kOk;
    }
  return status_of(Code::unavailable);
}

Status Topic::publish(MessagePtr& message, std::atomic<std::uint64_t>& count) {
  const std::scoped_lock lock(mutex_);
  // Written under the lock only: no need for an atomic increment, which costs as much as the lock.
  for (auto* counter : {&messages_, &count}) counter->store(counter->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return message->kind() == Kind::state ? publish_state(message) : publish_event(message);
}

void Topic::count_message() {
  const std::scoped_lock lock(mutex_);
  messages_.store(messages_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

Status Topic::publish_event(MessagePtr& message) {
  if (subscribers_.size() == 1) {
    auto& peer = *subscribers_.front();
    bool wake = false;
    {
      const std::scoped_lock inbox(peer.inbox.mutex);
      if (!peer.inbox.has_room(message->bytes())) return status_of(Code::busy);
      peer.inbox.push({.message = std::move(message)});
      wake = peer.claim_schedule();
    }
    if (wake) peer.schedule();
    return kOk;
  }
  // All inboxes stay locked from the look to the last push: nobody can take the room in between.
  bool room = true;
  std::size_t locked = 0;
  for (; locked < subscribers_.size() && room; ++locked) {
    subscribers_[locked]->inbox.mutex.lock();
    room = subscribers_[locked]->inbox.has_room(message->bytes());
  }
  for (std::size_t i = 0; i < locked; ++i) {
    auto& peer = *subscribers_[i];
    bool wake = false;
    if (room) {
      peer.inbox.push({.message = message});
      wake = peer.claim_schedule();
    }
    peer.inbox.mutex.unlock();
    if (wake) peer.schedule();
  }
  return room ? kOk : status_of(Code::busy);
}

Status Topic::publish_state(const MessagePtr& message) {
  std::string key(message->key());
  auto& kept = kept_[key];
  const std::size_t before = kept ? kept->bytes() : 0;
  const auto bytes = kept_bytes_ - before + message->bytes();
  if (bytes > kMaxStateBytes || kept_.size() > kMaxStateKeys) {
    if (!kept) kept_.erase(key);
    return status_of(Code::too_large);
  }
  kept = message;
  kept_bytes_ = bytes;
  hand_out_state(message);
  return kOk;
}

void Topic::hand_out_state(const MessagePtr& message) {
  for (auto* peer : subscribers_) {
    bool wake = false;
    {
      const std::scoped_lock inbox(peer->inbox.mutex);
      peer->inbox.push_state({.message = message, .topic = this}, false);
      wake = peer->claim_schedule();
    }
    if (wake) peer->schedule();
  }
}

std::vector<MessagePtr> Topic::withdraw(std::string_view publisher) {
  const std::scoped_lock lock(mutex_);
  std::vector<MessagePtr> told;
  std::erase_if(kept_, [&](const auto& one) {
    const auto& [key, value] = one;
    if (value->sender() != publisher) return false;
    told.push_back(Message::make({.kind = Kind::state, .topic = name_, .key = key, .content_type = {}, .sender = publisher, .payload = {}}));
    kept_bytes_ -= value->bytes();
    hand_out_state(told.back());
    return true;
  });
  return told;
}

void Topic::forget(std::string_view key) {
  const std::scoped_lock lock(mutex_);
  if (key.empty()) {
    kept_.clear();
    kept_bytes_ = 0;
  } else if (const auto found = kept_.find(std::string(key)); found != kept_.end()) {
    kept_bytes_ -= found->second->bytes();
    kept_.erase(found);
  }
}

Router::TopicInfo Topic::info() const {
  const std::scoped_lock lock(mutex_);
  Router::TopicInfo info{.topic = name_, .kind = kind(), .messages = messages_};
  for (const auto* peer : subscribers_) info.subscribers.push_back(peer->name());
  for (const auto* peer : answerers_) info.answerers.push_back(peer->name());
  return info;
}

}  // namespace picket::bus
