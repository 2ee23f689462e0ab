// One answer as it goes out: serialised once, copied to everybody who asks. Owned by counting; all under the broker's lock.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "ksn/limits.hpp"

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

struct Entry {
  Key key;
  std::uint8_t uses = 0;        // for the cache's clock: at most 3
  std::uint8_t place = 0;       // the cache's: which queue; 0: none
  std::uint8_t signer = 0;      // of the verifier's
  std::uint8_t asked = 0, halvings = 0;  // the cache's: how often lately, and when that was halved last
  std::uint32_t refs = 0;
  std::uint32_t size = 0;
  std::uint64_t hash = 0;
  std::int64_t fresh_until = 0;
  Entry *next = nullptr, *previous = nullptr;

  [[nodiscard]] char* wire() { return reinterpret_cast<char*>(this + 1); }
  [[nodiscard]] std::size_t cost() const { return sizeof(Entry) + size + 16 + 24; }  // with the allocator's and the table's share
};

void release(Entry* entry);

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

 private:
  Entry* entry_ = nullptr;
};

// said, issued, signature: of an answer with a seal of its own.
[[nodiscard]] EntryRef make_entry(const Key& key, std::uint64_t hash, std::string_view said, std::uint8_t signer, std::int64_t issued, std::string_view signature,
                                  std::int64_t fresh_until);

// A Signer as it stands in an AskReply, with tag and length.
[[nodiscard]] std::string signer_wire(std::string_view signer);

// Puts an AskReply together. Signers are numbered as they come.
class ReplyWriter {
 public:
  explicit ReplyWriter(std::span<const std::string> signers) : signers_(signers) { numbers_.fill(kNone); }  // of entries, at most kMostSigners
  void reserve(std::size_t bytes) { out_.reserve(bytes); }
  void add(Entry& entry);
  [[nodiscard]] std::size_t size() const { return out_.size(); }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  static constexpr std::uint8_t kNone = 0xff;
  const std::span<const std::string> signers_;
  std::array<std::uint8_t, picket::ksn::kMostSigners> numbers_;
  std::uint8_t count_ = 0;
  std::string out_;
};

}  // namespace ksn_proxy
