// Streams: chunks flow on credit from the answerer to the asker, within the limits of the asker's queue.
#include <algorithm>

#include "bus/peer_core.hpp"
#include "bus/router_core.hpp"

namespace picket::bus {
namespace {

constexpr std::uint64_t kMaxCredit = std::uint64_t{1} << 48;  // sums of grants stop here instead of overflowing

}  // namespace

Status PeerCore::grant(Token token, std::uint64_t bytes) {
  const auto open = find_ask(token);
  if (!open) return status_of(Code::not_found);
  {
    const std::scoped_lock lock(open->mutex);
    if (open->is_finished) return status_of(Code::not_found);
    open->credit = std::min(kMaxCredit, open->credit + std::min(bytes, kMaxCredit));
    // Before the request itself is handed out nothing need be told: credit goes along with it.
    if (!open->is_delivered || bytes == 0) return kOk;
  }
  open->answerer->queue_credit(open);
  return kOk;
}

void PeerCore::queue_credit(const std::shared_ptr<OpenRequest>& open) {
  {
    const std::scoped_lock lock(open->mutex);
    if (open->is_finished || open->credit_is_queued) return;
    open->credit_is_queued = true;
  }
  push_control({.what = Item::What::credit, .open = open});
}

void PeerCore::deliver_credit(const Item& item) {
  std::uint64_t credit = 0;
  {
    const std::scoped_lock lock(item.open->mutex);
    if (item.what == Item::What::credit) item.open->credit_is_queued = false;
    if (item.open->is_finished) return;
    credit = item.open->credit;
  }
  if (credit > 0) handler_.on_credit(item.open->id, credit);
}

std::uint64_t PeerCore::credit(RequestId id) const {
  const auto open = find_todo(id);
  if (!open) return 0;
  const std::scoped_lock lock(open->mutex);
  return open->is_finished ? 0 : open->credit;
}

Status PeerCore::stream_write(RequestId id, std::string_view chunk) {
  if (chunk.empty() || chunk.size() > kMaxPayload) return status_of(Code::invalid);
  const auto open = find_todo(id);
  if (!open) return status_of(Code::not_found);
  auto& asker = *open->asker;
  MessagePtr message;
  bool wake = false;
  {
    const std::scoped_lock lock(open->mutex);
    if (open->is_finished) return status_of(Code::not_found);
    if (chunk.size() > open->credit) return status_of(Code::busy);
    const std::scoped_lock inbox_lock(asker.inbox.mutex);
    if (!asker.inbox.has_chunk_room(sizeof(Message) + chunk.size())) {
      if (!std::exchange(open->is_blocked, true)) asker.inbox.note_blocked(open);
      return status_of(Code::busy);
    }
    message = Message::make({.kind = Kind::request, .payload = chunk});
    open->credit -= chunk.size();
    if (asker.halt_ & kDetached) return kOk;  // its end is about to reach this request
    asker.inbox.push_chunk({.what = Item::What::chunk, .message = message, .open = open});
    wake = asker.claim_schedule();
  }
  if (wake) asker.schedule();
  if (router_->has_tap())
    router_->tell_tap({.what = Seen::What::stream, .message = message, .to = asker.name(), .status = kOk});
  return kOk;
}

void PeerCore::deliver_chunk(const Item& item) {
  std::vector<std::shared_ptr<OpenRequest>> unblocked;
  {
    const std::scoped_lock lock(inbox.mutex);
    unblocked = inbox.note_chunk_handed_out(item.message->bytes());
  }
  for (const auto& open : unblocked) {
    {
      const std::scoped_lock lock(open->mutex);
      open->is_blocked = false;
    }
    open->answerer->queue_credit(open);
  }
  {
    const std::scoped_lock lock(item.open->mutex);
    if (item.open->is_cancelled) return;
  }
  handler_.on_stream(item.open->token, item.message);
}

}  // namespace picket::bus
