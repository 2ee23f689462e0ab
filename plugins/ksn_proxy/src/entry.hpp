// One answer as it goes out: serialised once, copied to everybody who asks. Owned by counting; all under the broker's lock.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace ksn_proxy {

// What can be asked: a full digest, or a prefix of one. Bytes beyond the length are zero.
struct Key {
  std::array<char, 32> digest{};
  std::uint8_t kind = 0, length = 0;

  Key() = default;
  Key(std::uint8_t k, std::string_view bytes) : kind(k), length(static_cast<std::uint8_t>(bytes.size())) { std::memcpy(digest.data(), bytes.data(), bytes.size()); }
  [[nodiscard]] std::string_view view() const { return {digest.data(), length}; }
  friend bool operator==(const Key& a, const Key& b) { return a.length == b.length && a.kind == b.kind && std::memcmp(a.digest.data(), b.digest.data(), a.digest.size()) == 0; }
};

// Strangers choose the digests: without the secret they cannot choose where they fall.
class Hasher {
 public:
  Hasher();
  [[nodiscard]] std::uint64_t operator()(const Key& key) const {
    std::uint64_t w[4];
    std::memcpy(w, key.digest.data(), sizeof w);
    const std::uint64_t tail = std::uint64_t{key.kind} << 8 | key.length;
    return mix(mix(w[0] ^ secret_[0], w[1] ^ secret_[1]) ^ tail, mix(w[2] ^ secret_[2], w[3] ^ secret_[3]) ^ secret_[0]);
  }

 private:
  static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  std::uint64_t secret_[4];
};

// A signed head and how many answers of the cache need it.
struct Head {
  std::string wire;             // as it stands in an AskReply, with tag and length
  bool alone = false;           // of one leaf: its answer has no path, and the head can vouch for one answer only
  std::uint32_t refs = 0;
  std::uint32_t cached = 0;     // entries of the cache among them
  std::uint64_t stamp = 0;      // the reply it was last put into, and its index there
  std::uint32_t index = 0;
  [[nodiscard]] std::size_t cost() const { return sizeof(Head) + wire.capacity() + 32; }
};

struct Entry {
  Key key;
  std::uint8_t uses = 0;        // for the cache's clock: at most 3
  std::uint8_t place = 0;       // the cache's: which queue; 0: none
  std::uint32_t refs = 0;
  std::uint32_t size = 0;
  std::uint64_t hash = 0;
  std::int64_t fresh_until = 0;
  Head* head = nullptr;
  Entry *next = nullptr, *previous = nullptr;

  [[nodiscard]] char* wire() { return reinterpret_cast<char*>(this + 1); }
  [[nodiscard]] std::size_t cost() const { return sizeof(Entry) + size + 16 + 24; }  // with the allocator's and the table's share
};

void release(Entry* entry);
void release(Head* head);

class EntryRef {
 public:
  EntryRef() = default;
  explicit EntryRef(Entry* entry) : entry_(entry) {
    if (entry_ != nullptr) ++entry_->refs;
  }
  EntryRef(EntryRef&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  EntryRef& operator=(EntryRef&& other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~EntryRef() {
    if (entry_ != nullptr) release(entry_);
  }
  [[nodiscard]] Entry* get() const { return entry_; }
  explicit operator bool() const { return entry_ != nullptr; }

 private:
  Entry* entry_ = nullptr;
};

// The head counts the entries that name it; it dies with the last of them.
[[nodiscard]] Head* make_head(std::string_view signed_head, std::uint64_t leaves);
[[nodiscard]] EntryRef make_entry(const Key& key, std::uint64_t hash, Head* head, std::string_view record, std::uint64_t leaf, std::string_view path, std::int64_t fresh_until);

// Puts an AskReply together. Heads are numbered as they come.
class ReplyWriter {
 public:
  explicit ReplyWriter(std::uint64_t stamp) : stamp_(stamp) {}  // never used before
  void reserve(std::size_t bytes) { out_.reserve(bytes); }
  void add(Entry& entry);
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  const std::uint64_t stamp_;
  std::uint32_t heads_ = 0;
  std::string out_;
};

}  // namespace ksn_proxy
