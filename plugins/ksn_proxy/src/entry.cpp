#include "entry.hpp"

#include <cstdlib>
#include <new>

#include "base/bytes.hpp"

namespace ksn_proxy {
namespace {

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void put_field(std::string& out, char tag, std::string_view bytes) {
  out.push_back(tag);
  put_varint(out, bytes.size());
  out.append(bytes);
}

constexpr char kHeads = 0x0a, kAnswers = 0x12;                               // of AskReply
constexpr char kRecord = 0x0a, kHead = 0x10, kLeaf = 0x18, kPath = 0x22;     // of Answer

}  // namespace

Hasher::Hasher() {
  const auto bytes = picket::random_bytes(sizeof secret_);
  std::memcpy(secret_, bytes.data(), sizeof secret_);
}

void release(Head* head) {
  if (--head->refs == 0) delete head;
}

void release(Entry* entry) {
  if (--entry->refs != 0) return;
  release(entry->head);
  entry->~Entry();
  std::free(entry);
}

Head* make_head(std::string_view signed_head, std::uint64_t leaves) {
  auto* out = new Head;
  put_field(out->wire, kHeads, signed_head);
  out->alone = leaves == 1;
  return out;
}

EntryRef make_entry(const Key& key, std::uint64_t hash, Head* head, std::string_view record, std::uint64_t leaf, std::string_view path, std::int64_t fresh_until) {
  std::string answer;
  answer.reserve(record.size() + path.size() + 24);
  put_field(answer, kRecord, record);
  if (leaf != 0) {
    answer.push_back(kLeaf);
    put_varint(answer, leaf);
  }
  if (!path.empty()) put_field(answer, kPath, path);
  // The head's index is another one in each reply: last, and always two bytes long (a varint may be longer than it need be).
  answer.append({kHead, static_cast<char>(0x80), 0});
  std::string wire;
  wire.reserve(answer.size() + 6);
  put_field(wire, kAnswers, answer);

  void* memory = std::malloc(sizeof(Entry) + wire.size());
  if (memory == nullptr) throw std::bad_alloc();
  auto* entry = new (memory) Entry;
  entry->key = key;
  entry->hash = hash;
  entry->fresh_until = fresh_until;
  entry->head = head;
  ++head->refs;
  entry->size = static_cast<std::uint32_t>(wire.size());
  std::memcpy(entry->wire(), wire.data(), wire.size());
  return EntryRef(entry);
}

void ReplyWriter::add(Entry& entry) {
  auto& head = *entry.head;
  if (head.stamp != stamp_ || head.alone) {
    head.stamp = stamp_;
    head.index = heads_++;
    out_.append(head.wire);
  }
  out_.append(entry.wire(), entry.size);
  out_[out_.size() - 2] = static_cast<char>(0x80 | (head.index & 0x7f));
  out_[out_.size() - 1] = static_cast<char>(head.index >> 7);
}

}  // namespace ksn_proxy
