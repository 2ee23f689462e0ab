// Requests: from the question to the one end that each of them has.
#include <algorithm>

#include "bus/names.hpp"
#include "bus/peer_core.hpp"
#include "bus/router_core.hpp"

namespace picket::bus {
namespace {

constexpr std::chrono::milliseconds kLongestTimeout{86'400'000};

std::string default_text(Status status, const OpenRequest& open) {
  if (status == status_of(Code::timeout)) return cat("no answer from ", open.answerer->name(), " to ", open.topic->name(), " in time");
  if (status == status_of(Code::cancelled)) return cat("request to ", open.topic->name(), " was cancelled");
  return {};
}

}  // namespace

Status PeerCore::request(const Request& request, Token token) {
  if (!is_topic(request.topic) || request.content_type.size() > kMaxContentType || request.payload.size() > kMaxPayload ||
      request.timeout.count() < 1 || request.timeout > kLongestTimeout)
    return status_of(Code::invalid);
  bool allowed = false;
  {
    const std::scoped_lock lock(allow_mutex_);
    allowed = is_within_any(request.topic, may_ask_);
  }
  if (!allowed || !may(options_.standing, Deed::ask, request.topic)) return deny(Kind::request, request.topic, {}, request.content_type, request.payload, request.to);

  auto* topic = router_->find_topic(request.topic);
  if (topic == nullptr) return status_of(Code::unavailable);
  if (topic->kind() != Kind::request) return status_of(Code::invalid);
  const auto open = std::make_shared<OpenRequest>();
  if (const auto status = topic->find_answerer(request.to, open->answerer); status != kOk) return status;
  open->id = router_->next_id();
  open->token = token;
  open->topic = topic;
  open->asker = shared_from_this();
  open->deadline = std::chrono::steady_clock::now() + request.timeout;
  open->credit = request.credit;
  const auto message = Message::make({.kind = Kind::request, .topic = request.topic, .content_type = request.content_type,
                                      .sender = name(), .payload = request.payload, .deadline = open->deadline});
  {
    const std::scoped_lock lock(open_mutex_);
    if (is_closed_) return status_of(Code::unavailable);
    if (asks_.size() >= kMaxOpenRequests) {
      busy_.fetch_add(1, std::memory_order_relaxed);
      return status_of(Code::busy);
    }
    if (!asks_.emplace(token, open).second) return status_of(Code::conflict);
  }
  topic->count_message();
  auto status = open->answerer->take_request(open, message);
  {
    const std::scoped_lock lock(open->mutex);
    if (open->is_finished) status = kOk;  // by a cancellation or the answerer's end: its reply is on the way
    else if (status == kOk && !router_->deadlines().add(open)) status = status_of(Code::unavailable);
    if (status != kOk) open->is_finished = true;
  }
  if (status != kOk) {
    open->answerer->forget_request(open->id);
    {
      const std::scoped_lock lock(open_mutex_);
      asks_.erase(token);
    }
    // It was taken over from between the look for it and the question; a retired one is not found again.
    if (status == status_of(Code::unavailable) && open->answerer->is_retired()) return this->request(request, token);
    if (status == status_of(Code::busy)) busy_.fetch_add(1, std::memory_order_relaxed);
  }
  if (router_->has_tap())
    router_->tell_tap({.what = status == kOk ? Seen::What::request : Seen::What::busy, .message = message, .to = open->answerer->name(), .status = status});
  return status;
}

Status PeerCore::take_request(const std::shared_ptr<OpenRequest>& open, const MessagePtr& message) {
  {
    const std::scoped_lock lock(open_mutex_);
    if (is_closed_ || takes_no_more_) return status_of(Code::unavailable);
    todo_.emplace(open->id, open);
  }
  bool wake = false;
  bool room = false;
  {
    const std::scoped_lock lock(inbox.mutex);
    if (halt_ & kDetached) return status_of(Code::unavailable);  // its inbox was emptied for good meanwhile: nobody would take this out again
    room = inbox.has_room(message->bytes());
    if (room) {
      inbox.push({.what = Item::What::request, .message = message, .open = open});
      wake = claim_schedule();
    }
  }
  if (wake) hand_out();
  return room ? kOk : status_of(Code::busy);
}

void PeerCore::forget_request(RequestId id) {
  const std::scoped_lock lock(open_mutex_);
  todo_.erase(id);
}

bool PeerCore::finish(const std::shared_ptr<OpenRequest>& open, Status status, std::string_view content_type, std::string_view payload,
                      By by) {
  bool tell_answerer = false;
  {
    const std::scoped_lock lock(open->mutex);
    if (open->is_finished) return false;
    open->is_finished = true;
    open->is_cancelled = by == By::asker;
    tell_answerer = open->is_delivered && by != By::answerer;
  }
  auto& asker = *open->asker;
  auto& answerer = *open->answerer;
  asker.router_->deadlines().remove(*open);
  answerer.forget_request(open->id);
  if (tell_answerer) answerer.push_control({.what = Item::What::cancel, .open = open});

  const auto text = status < 0 && payload.empty() ? default_text(status, *open) : std::string();
  const auto message = Message::make({.kind = Kind::request, .topic = open->topic->name(), .content_type = content_type,
                                      .sender = answerer.name(), .payload = text.empty() ? payload : text});
  asker.push_control({.what = Item::What::reply, .status = status, .message = message, .open = open});
  if (asker.router_->has_tap())
    asker.router_->tell_tap({.what = open->is_cancelled ? Seen::What::cancel : Seen::What::reply, .message = message, .to = asker.name(), .status = status});
  return true;
}

Status PeerCore::cancel(Token token) {
  const auto open = find_ask(token);
  return open && finish(open, status_of(Code::cancelled), {}, {}, By::asker) ? kOk : status_of(Code::not_found);
}

Status PeerCore::respond(RequestId id, Status status, std::string_view content_type, std::string_view payload) {
  if (status > 0 || content_type.size() > kMaxContentType || payload.size() > kMaxPayload) return status_of(Code::invalid);
  const auto open = find_todo(id);
  return open && finish(open, status, content_type, payload, By::answerer) ? kOk : status_of(Code::not_found);
}

void answer(Peer& peer, RequestId id, std::string_view content_type, std::string_view payload) {
  if (payload.size() <= kMaxPayload) peer.respond(id, kOk, content_type, payload);
  else peer.respond(id, status_of(Code::too_large), {}, cat("the answer has ", std::to_string(payload.size()), " bytes, the bus takes ", std::to_string(kMaxPayload)));
}

std::shared_ptr<OpenRequest> PeerCore::find_ask(Token token) const {
  const std::scoped_lock lock(open_mutex_);
  const auto found = asks_.find(token);
  return found == asks_.end() ? nullptr : found->second;
}

std::shared_ptr<OpenRequest> PeerCore::find_todo(RequestId id) const {
  const std::scoped_lock lock(open_mutex_);
  const auto found = todo_.find(id);
  return found == todo_.end() ? nullptr : found->second;
}

void PeerCore::deliver_request(const Item& item) {
  inbox.note_handed_out(item.message->bytes());
  {
    const std::scoped_lock lock(item.open->mutex);
    if (item.open->is_finished) return;  // nobody waits any more
    item.open->is_delivered = true;
  }
  delivered_.store(delivered_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  handler_.on_request(item.open->id, item.message);
  deliver_credit(item);
}

void PeerCore::deliver_reply(const Item& item) {
  {
    const std::scoped_lock lock(open_mutex_);
    asks_.erase(item.open->token);  // free again from here on
  }
  delivered_.store(delivered_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  handler_.on_reply(item.open->token, item.status, item.message);
}

}  // namespace picket::bus
