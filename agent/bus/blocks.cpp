#include "bus/blocks.hpp"

#include <array>
#include <mutex>
#include <new>
#include <utility>

namespace picket::bus {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kRecycle = false;  // the sanitizers shall see each message as memory of its own
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kRecycle = false;
#else
constexpr bool kRecycle = true;
#endif
#else
constexpr bool kRecycle = true;
#endif

constexpr unsigned kListLength = 32;   // blocks that change threads at once
constexpr std::size_t kLists = 32;     // that the depot keeps: 512 KiB at most

constexpr std::size_t kPrefetched = 384;

struct Block {
  Block* next;
};

void free_list(Block* list) {
  while (list != nullptr) ::operator delete(std::exchange(list, list->next));
}

class Depot {
 public:
  [[nodiscard]] Block* take() {
    const std::scoped_lock lock(mutex_);
    return count_ == 0 ? nullptr : lists_[--count_];
  }
  void give(Block* list) {
    {
      const std::scoped_lock lock(mutex_);
      if (count_ < kLists) {
        lists_[count_++] = list;
        return;
      }
    }
    free_list(list);
  }

 private:
  std::mutex mutex_;
  std::array<Block*, kLists> lists_{};
  std::size_t count_ = 0;
};

Depot& depot() {
  static auto* const depot = new Depot;  // never destroyed: messages may end while the program does
  return *depot;
}

// What one thread holds: a list it takes from, and a full one at most that it will hand over.
struct Hand {
  Block* list = nullptr;
  Block* spare = nullptr;
  unsigned count = 0;
  bool is_over = false;

  Hand() = default;
  Hand(const Hand&) = delete;
  Hand& operator=(const Hand&) = delete;
  ~Hand() {
    is_over = true;
    free_list(list);
    free_list(spare);
  }
};

Hand& hand() {
  static thread_local Hand hand;
  return hand;
}

}  // namespace

void* take_block(std::size_t size) {
  if (!kRecycle || size > kBlockSize) return ::operator new(size);
  auto& mine = hand();
  if (mine.is_over) return ::operator new(kBlockSize);
  if (mine.list == nullptr) {
    mine.list = mine.spare != nullptr ? std::exchange(mine.spare, nullptr) : depot().take();
    if (mine.list == nullptr) return ::operator new(kBlockSize);
    mine.count = kListLength;
  }
  --mine.count;
  auto* block = std::exchange(mine.list, mine.list->next);
  // The next one was last written by another processor; its lines travel while this message is made.
  for (std::size_t at = 0; at < kPrefetched && mine.list != nullptr; at += 64) __builtin_prefetch(reinterpret_cast<char*>(mine.list) + at, 1);
  return block;
}

void give_block(void* block, std::size_t size) {
  if (!kRecycle || size > kBlockSize) return ::operator delete(block);
  auto& mine = hand();
  if (mine.is_over) return ::operator delete(block);
  if (mine.count == kListLength) {
    if (mine.spare != nullptr) depot().give(mine.spare);
    mine.spare = std::exchange(mine.list, nullptr);
    mine.count = 0;
  }
  mine.list = new (block) Block{mine.list};
  ++mine.count;
}

}  // namespace picket::bus
