#include "bus/inbox.hpp"

#include <utility>

namespace picket::bus {
namespace {

// A buffer that a flood made large is given back once the flood is over.
constexpr std::size_t kKeptCapacity = 512;

}  // namespace

bool Inbox::has_room(std::size_t bytes) const {
  if (messages_ + batch_messages_ < limits_.messages && bytes_ + batch_bytes_ + bytes <= limits_.bytes) return true;
  const auto count = messages_ + batch_messages_ - done_messages_.load(std::memory_order_relaxed);
  const auto size = bytes_ + batch_bytes_ - done_bytes_.load(std::memory_order_relaxed);
  // A message that is larger than the whole limit must get through an empty queue, or it never would.
  return count == 0 || (count < limits_.messages && size + bytes <= limits_.bytes);
}

void Inbox::push(Item item) {
  ++messages_;
  bytes_ += item.message->bytes();
  incoming_.push_back(std::move(item));
}

void Inbox::index_states() {
  states_.clear();
  for (std::size_t i = 0; i < incoming_.size(); ++i)
    if (incoming_[i].topic != nullptr) states_.insert_or_assign(StateKey{incoming_[i].topic, incoming_[i].message->key()}, i);
  indexed_ = true;
}

void Inbox::push_state(Item item, bool always_replace) {
  const bool replace = always_replace || !has_room(item.message->bytes());
  if (replace && !indexed_) index_states();
  if (indexed_) {
    const StateKey key{item.topic, item.message->key()};
    if (auto found = states_.find(key); found != states_.end()) {
      const auto at = found->second;
      states_.erase(found);  // its key lies in the message that may go now
      if (replace) {
        bytes_ += item.message->bytes() - incoming_[at].message->bytes();
        states_.emplace(key, at);
        incoming_[at].message = std::move(item.message);
        return;
      }
    }
    states_.emplace(key, incoming_.size());
  }
  push(std::move(item));
}

bool Inbox::has_chunk_room(std::size_t bytes) const {
  return chunks_ == 0 || (chunks_ < limits_.messages && chunk_bytes_ + bytes <= limits_.bytes);
}

void Inbox::push_chunk(Item item) {
  ++chunks_;
  chunk_bytes_ += item.message->bytes();
  incoming_.push_back(std::move(item));
}

void Inbox::swap_out(std::vector<Item>& batch) {
  if (batch.capacity() > kKeptCapacity && incoming_.size() < kKeptCapacity / 8) std::vector<Item>().swap(batch);
  batch.swap(incoming_);
  batch_messages_ = std::exchange(messages_, 0);
  batch_bytes_ = std::exchange(bytes_, 0);
  done_messages_.store(0, std::memory_order_relaxed);
  done_bytes_.store(0, std::memory_order_relaxed);
  if (std::exchange(indexed_, false)) states_.clear();
}

void Inbox::clear() {
  std::vector<Item> none;
  swap_out(none);
  batch_messages_ = batch_bytes_ = chunks_ = chunk_bytes_ = 0;
  blocked_.clear();
}

std::vector<std::shared_ptr<OpenRequest>> Inbox::note_chunk_handed_out(std::size_t bytes) {
  --chunks_;
  chunk_bytes_ -= bytes;
  if (blocked_.empty() || chunks_ > limits_.messages / 2 || chunk_bytes_ > limits_.bytes / 2) return {};
  return std::exchange(blocked_, {});
}

}  // namespace picket::bus
