#include "bus/peer_core.hpp"

#include <algorithm>

#include "bus/names.hpp"
#include "bus/router_core.hpp"
#include "runtime/executor.hpp"

namespace picket::bus {
namespace {

using std::chrono::steady_clock;

// After so long another strand has its turn on this thread.
constexpr auto kTurn = std::chrono::milliseconds(1);
constexpr unsigned kMessagesPerClock = 32;
// So many messages in turns that follow each other this closely are a flood; then a drained queue is looked at again a few times, about a
// microsecond apart. Without it a consumer that is faster than its producers sleeps after every few messages, and they pay for waking it.
constexpr unsigned kFlood = 64;
constexpr auto kClosely = std::chrono::microseconds(200);
constexpr unsigned kLingers = 5;

// At last a yield: a producer that shares this processor cannot go on while we spin, and with it come hundreds of messages at once.
void linger(unsigned time) {
#if defined(__x86_64__) || defined(__i386__)
  if (time < kLingers) {
    for (int i = 0; i < 32; ++i) __builtin_ia32_pause();
    return;
  }
#endif
  std::this_thread::yield();
}

}  // namespace

PeerCore::PeerCore(std::shared_ptr<RouterCore> router, PeerOptions options, Handler& handler, std::shared_ptr<runtime::Strand> strand)
    : inbox(options.queue),
      router_(std::move(router)),
      options_(std::move(options)),
      handler_(handler),
      strand_(std::move(strand)),
      may_subscribe_(options_.allow.subscribes),
      may_ask_(options_.allow.asks) {
  if (options_.starts_paused) halt_ = kPaused;
  if (options_.stands_by) place_ = Place::standby;
}

void PeerCore::may_publish(Topic& topic) {
  publications_[topic.name()].topic = &topic;
}

Status PeerCore::publish(std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload) {
  if (halt_.load(std::memory_order_relaxed) & kDetached) return status_of(Code::unavailable);
  const auto found = publications_.find(topic);
  if (found == publications_.end() || !found->second.allowed.load(std::memory_order_relaxed))
    return deny(Kind::event, topic, key, content_type, payload, {});
  auto& to = *found->second.topic;
  const auto kind = to.kind();
  if (kind == Kind::request || (kind == Kind::event && !key.empty()) || key.size() > kMaxKey || content_type.size() > kMaxContentType ||
      payload.size() > kMaxPayload)
    return status_of(Code::invalid);
  if (place_.load(std::memory_order_relaxed) != Place::present)
    if (const auto aside = publish_aside(found->second, key, content_type, payload)) return *aside;

  const bool watched = router_->has_tap();
  if (kind == Kind::event && !watched && !to.has_subscribers()) {
    to.count_message();
    published_.fetch_add(1, std::memory_order_relaxed);
    return kOk;
  }
  auto message = Message::make(
      {.kind = kind, .topic = topic, .key = key, .content_type = content_type, .sender = name(), .payload = payload});
  const auto seen = watched ? message : nullptr;
  const auto status = to.publish(message, found->second.count);
  if (status == status_of(Code::busy)) busy_.fetch_add(1, std::memory_order_relaxed);
  if (watched)
    router_->tell_tap({.what = status == kOk ? Seen::What::publish : Seen::What::busy, .message = seen, .status = status});
  // Taken away since the look above: it may have been kept after what was kept had been withdrawn.
  if (kind == Kind::state && !found->second.allowed.load(std::memory_order_relaxed)) router_->withdraw(to, name());
  return status;
}

Status PeerCore::deny(Kind kind, std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload,
                      std::string_view to) {
  denied_.fetch_add(1, std::memory_order_relaxed);
  if (router_->has_tap())
    router_->tell_tap({.what = Seen::What::denied,
                       .message = Message::make({.kind = kind, .topic = topic, .key = key, .content_type = content_type, .sender = name(),
                                                 .payload = payload.substr(0, kMaxPayload)}),
                       .to = to,
                       .status = status_of(Code::denied)});
  return status_of(Code::denied);
}

std::optional<Status> PeerCore::publish_aside(Publication& to, std::string_view key, std::string_view content_type, std::string_view payload) {
  const bool is_event = to.topic->kind() == Kind::event;
  if (is_retired()) return is_event ? std::nullopt : std::optional<Status>(status_of(Code::unavailable));  // its successor says how things are
  const std::scoped_lock lock(held_mutex_);
  if (!stands_by()) return std::nullopt;  // it took over meanwhile
  if (is_event) {
    busy_.fetch_add(1, std::memory_order_relaxed);
    return status_of(Code::busy);
  }
  auto message = Message::make({.kind = Kind::state, .topic = to.topic->name(), .key = key, .content_type = content_type, .sender = name(), .payload = payload});
  const auto known = std::find_if(held_.begin(), held_.end(), [&](const auto& one) { return one.first == &to && one.second->key() == key; });
  const auto bytes = held_bytes_ + message->bytes() - (known == held_.end() ? 0 : known->second->bytes());
  if (bytes > kMaxHeldBytes || (known == held_.end() && held_.size() == kMaxHeld)) return status_of(Code::too_large);
  held_bytes_ = bytes;
  if (known != held_.end()) known->second = std::move(message);
  else held_.emplace_back(&to, std::move(message));
  return kOk;
}

void PeerCore::publish_held() {
  for (auto& [to, message] : held_) {
    const auto seen = router_->has_tap() ? message : nullptr;
    const auto status = to->topic->publish(message, to->count);
    if (seen) router_->tell_tap({.what = Seen::What::publish, .message = seen, .status = status});
  }
  held_.clear();
}

Result<> PeerCore::take_over() { return router_->take_over(*this); }

bool PeerCore::leave_if_idle() {
  {
    const std::scoped_lock lock(inbox.mutex);
    if (is_running_ || is_scheduled_ || next_ < batch_.size() || !inbox.is_empty()) return false;
  }
  // A question is in todo_ before it is in the inbox: what came since the look is found here.
  const std::scoped_lock lock(open_mutex_);
  if (!todo_.empty()) return false;
  takes_no_more_ = true;
  return true;
}

Status PeerCore::subscribe(std::string_view filter) {
  if (!is_filter(filter)) return status_of(Code::invalid);
  bool allowed = false;
  {
    const std::scoped_lock lock(allow_mutex_);
    allowed = is_within_any(filter, may_subscribe_);
  }
  if (!allowed) return deny(Kind::event, filter, {}, {}, {}, {});
  return router_->subscribe(*this, filter);
}

Status PeerCore::unsubscribe(std::string_view filter) { return router_->unsubscribe(*this, filter); }

bool PeerCore::listens_to(std::string_view topic) const {
  return std::any_of(filters.begin(), filters.end(), [&](const std::string& filter) { return matches(filter, topic); });
}

bool PeerCore::publishes(std::string_view topic) const {
  const auto found = publications_.find(topic);
  return found != publications_.end() && found->second.allowed;
}

std::vector<std::string> PeerCore::answerers(std::string_view topic) const {
  const auto* found = router_->find_topic(topic);
  return found == nullptr ? std::vector<std::string>() : found->info().answerers;
}

void PeerCore::narrow(const AllowList& allow) {
  for (auto& [topic, publication] : publications_) {
    const bool still = std::any_of(allow.publishes.begin(), allow.publishes.end(), [&, &name = topic, &to = *publication.topic](const TopicKind& one) {
      return one.topic == name && one.kind == to.kind();
    });
    if (still) continue;
    publication.allowed = false;
    router_->withdraw(*publication.topic, name());
  }
  std::vector<std::string> may_subscribe;
  {
    const std::scoped_lock lock(allow_mutex_);
    may_subscribe_ = intersect(may_subscribe_, allow.subscribes);
    may_ask_ = intersect(may_ask_, allow.asks);
    may_subscribe = may_subscribe_;
  }
  router_->keep_filters_within(*this, may_subscribe);
  router_->keep_answers(*this, allow.answers);
}

PeerCounters PeerCore::counters() const {
  PeerCounters counters;
  counters.published = published_;
  for (const auto& [topic, publication] : publications_) counters.published += publication.count;
  counters.delivered = delivered_;
  counters.denied = denied_;
  counters.busy = busy_;
  counters.lost = lost_;
  const std::scoped_lock lock(inbox.mutex);
  counters.queued_messages = inbox.messages();
  counters.queued_bytes = inbox.bytes();
  return counters;
}

bool PeerCore::claim_schedule() {
  if (is_scheduled_ || halt_.load(std::memory_order_relaxed) != 0) return false;
  is_scheduled_ = true;
  return true;
}

void PeerCore::schedule() { strand_->post_job(shared_from_this()); }

void PeerCore::push_control(Item item) {
  bool wake = false;
  const bool is_reply = item.what == Item::What::reply;
  {
    const std::scoped_lock lock(inbox.mutex);
    if (halt_ & kDetached) return;
    inbox.push_control(std::move(item));
    wake = claim_schedule();
  }
  if (!wake) return;
  if (is_reply) hand_out();
  else schedule();
}

void PeerCore::hand_out() {
  if (!options_.is_quick) return schedule();
  std::unique_lock lock(inbox.mutex);
  is_running_ = true;
  // Only this one. What comes meanwhile is the strand's: the thread that is here has its own work, and locks that other items might want.
  if (next_ == batch_.size() && inbox.items() == 1 && halt_.load(std::memory_order_relaxed) == 0) {
    batch_.clear();
    next_ = 0;
    inbox.swap_out(batch_);
    ++next_;
    lock.unlock();
    deliver(batch_.front());
    batch_.front() = {};
    lock.lock();
  }
  end_run(lock, !inbox.is_empty() && halt_.load(std::memory_order_relaxed) == 0);
}

void PeerCore::run() {
  std::unique_lock lock(inbox.mutex);
  is_running_ = true;
  const auto now = steady_clock::now();
  flow_ = now - turn_.began > kClosely && turn_.count < kFlood ? 0 : std::min(flow_ + turn_.count, kFlood);
  turn_ = {.began = now};
  bool again = false;
  while (!again && halt_.load(std::memory_order_relaxed) == 0) {
    if (next_ == batch_.size()) {
      batch_.clear();
      next_ = 0;
      if (inbox.is_empty()) {
        // In a flood the next messages are a moment away, and going to sleep for it would cost both sides a wake-up.
        if (flow_ + turn_.count < kFlood || strand_->do_others_wait()) break;
        if (++turn_.lingers > kLingers) {  // it is over
          flow_ = turn_.count = 0;
          break;
        }
        lock.unlock();
        linger(turn_.lingers);
        lock.lock();
        continue;
      }
      inbox.swap_out(batch_);
      turn_.lingers = 0;
    }
    lock.unlock();
    again = run_batch();
    lock.lock();
  }
  end_run(lock, again);
}

void PeerCore::end_run(std::unique_lock<SpinLock>& lock, bool again) {
  is_running_ = false;
  if (halt_ & kDetached) stopped_running_.notify_all();
  if (again) {
    lock.unlock();
    schedule();
    return;
  }
  is_scheduled_ = false;
}

bool PeerCore::run_batch() {
  while (next_ < batch_.size()) {
    if (halt_.load(std::memory_order_relaxed) != 0) return false;
    auto& item = batch_[next_++];
    strand_->mark();
    deliver(item);
    item = {};  // what nobody else holds ends here, while it is warm
    if (++turn_.count < turn_.look_at) continue;
    // A clock for every message would cost more than the message; a slow handler is noticed after its second.
    if (steady_clock::now() - turn_.began > kTurn) return true;
    turn_.look_at += std::min(turn_.count, kMessagesPerClock);
  }
  return false;
}

void PeerCore::deliver(Item& item) {
  switch (item.what) {
    case Item::What::message:
      inbox.note_handed_out(item.message->bytes());
      delivered_.store(delivered_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      return handler_.on_message(item.message);
    case Item::What::request: return deliver_request(item);
    case Item::What::chunk: return deliver_chunk(item);
    case Item::What::reply: return deliver_reply(item);
    case Item::What::credit: return deliver_credit(item);
    case Item::What::cancel: return handler_.on_cancel(item.open->id);
  }
}

void PeerCore::pause() { halt_.fetch_or(kPaused); }

void PeerCore::resume() {
  bool wake = false;
  {
    const std::scoped_lock lock(inbox.mutex);
    halt_.fetch_and(static_cast<std::uint8_t>(~kPaused));
    // While it is scheduled the batch belongs to the thread that drains; that one looks at halt_ again before it leaves.
    wake = !is_scheduled_ && (next_ < batch_.size() || !inbox.is_empty()) && claim_schedule();
  }
  if (wake) schedule();
}

bool PeerCore::detach(std::chrono::milliseconds limit) {
  router_->detach(*this);
  std::vector<std::shared_ptr<OpenRequest>> asks;
  std::vector<std::shared_ptr<OpenRequest>> todo;
  {
    const std::scoped_lock lock(open_mutex_);
    is_closed_ = true;
    for (const auto& [token, open] : asks_) asks.push_back(open);
    for (const auto& [id, open] : todo_) todo.push_back(open);
    asks_.clear();
  }
  halt_.fetch_or(kDetached);
  for (const auto& open : asks) finish(open, status_of(Code::cancelled), {}, {}, By::asker);
  for (const auto& open : todo) finish(open, status_of(Code::unavailable), {}, cat(name(), " has ended"), By::answerer);

  std::vector<Item> dropped;  // both end after the lock
  std::vector<Item> rest;
  std::unique_lock lock(inbox.mutex);
  const auto has_stopped = [&] { return !is_running_; };
  if (limit == std::chrono::milliseconds::max()) stopped_running_.wait(lock, has_stopped);
  else if (!stopped_running_.wait_for(lock, limit, has_stopped)) return false;
  inbox.swap_out(dropped);
  inbox.clear();
  rest.swap(batch_);
  next_ = 0;
  return true;
}

}  // namespace picket::bus
