// A peer's inbound queue: bounded in messages and bytes. What is refused leaves no trace.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "bus/bus.hpp"
#include "bus/spin_lock.hpp"

namespace picket::bus {

class Topic;
struct OpenRequest;

struct Item {
  enum class What : std::uint8_t { message, request, chunk, reply, credit, cancel };
  What what = What::message;
  Status status = kOk;
  MessagePtr message{};
  std::shared_ptr<OpenRequest> open{};
  const Topic* topic = nullptr;  // of a state message: with its key, what a newer value replaces
};

// Messages and requests count against the limits. Chunks have the same limits again for themselves, so that a stream
// cannot crowd out events. Replies, credits and cancellations are always taken: there is at most one of each per open request.
class Inbox {
 public:
  explicit Inbox(QueueLimits limits) : limits_(limits) {}

  // Under this lock: everything here but take() and the done_* counters.
  mutable SpinLock mutex;

  [[nodiscard]] bool has_room(std::size_t bytes) const;
  void push(Item item);
  // Never refused: in a full queue it takes the place of the older value of its key, or else is the only one of its key
  // beyond the limit (the topic keeps these values anyway, so that this costs a pointer).
  void push_state(Item item, bool always_replace);
  [[nodiscard]] bool has_chunk_room(std::size_t bytes) const;
  void push_chunk(Item item);
  void push_control(Item item) { incoming_.push_back(std::move(item)); }
  [[nodiscard]] bool is_empty() const { return incoming_.empty(); }
  [[nodiscard]] std::size_t items() const { return incoming_.size(); }

  // The consumer's side: takes all that has come; `batch` (drained before) becomes the next incoming buffer.
  void swap_out(std::vector<Item>& batch);
  void clear();
  // Without the lock, by the consumer, as it hands out an item of the batch.
  void note_handed_out(std::size_t bytes) {
    done_messages_.store(done_messages_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    done_bytes_.store(done_bytes_.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
  }
  // Streams that found no room; given out once half of the room is free again.
  void note_blocked(std::shared_ptr<OpenRequest> open) { blocked_.push_back(std::move(open)); }
  [[nodiscard]] std::vector<std::shared_ptr<OpenRequest>> note_chunk_handed_out(std::size_t bytes);

  [[nodiscard]] std::size_t messages() const { return messages_ + batch_messages_ - done_messages_.load(std::memory_order_relaxed) + chunks_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_ + batch_bytes_ - done_bytes_.load(std::memory_order_relaxed) + chunk_bytes_; }

 private:
  struct StateKey {
    const Topic* topic;
    std::string_view key;  // in the message itself
    bool operator==(const StateKey&) const = default;
  };
  struct HashStateKey {
    std::size_t operator()(const StateKey& key) const {
      return std::hash<std::string_view>()(key.key) ^ (std::hash<const Topic*>()(key.topic) * 31);
    }
  };
  void index_states();

  const QueueLimits limits_;
  std::vector<Item> incoming_;
  std::size_t messages_ = 0, bytes_ = 0;              // of incoming_
  std::size_t batch_messages_ = 0, batch_bytes_ = 0;  // of the batch when it was taken
  std::size_t chunks_ = 0, chunk_bytes_ = 0;          // not yet handed out, wherever they are
  std::vector<std::shared_ptr<OpenRequest>> blocked_;
  // Where in incoming_ each state value is; made when the queue is first found full, ended by swap_out.
  std::unordered_map<StateKey, std::size_t, HashStateKey> states_;
  bool indexed_ = false;
  // On a line of their own: the consumer writes them for every message, producers look only when the queue seems full.
  alignas(64) std::atomic<std::size_t> done_messages_{0};
  std::atomic<std::size_t> done_bytes_{0};
};

}  // namespace picket::bus
