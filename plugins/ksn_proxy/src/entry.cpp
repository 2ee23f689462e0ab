#include "entry.hpp"

#include <cstdlib>
#include <new>

#include "base/bytes.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace ksn_proxy {

namespace v1 = picket::ksn::v1;

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

constexpr char tag(int field, int wire_type) { return static_cast<char>(field << 3 | wire_type); }
constexpr int kVarint = 0, kBytes = 2;

constexpr char kSigners = tag(v1::AskReply::kSignersFieldNumber, kBytes), kAnswers = tag(v1::AskReply::kAnswersFieldNumber, kBytes);
constexpr char kSaid = tag(v1::Answer::kSaidFieldNumber, kBytes), kSeal = tag(v1::Answer::kSealFieldNumber, kBytes);
constexpr char kSigner = tag(v1::Seal::kSignerFieldNumber, kVarint), kIssued = tag(v1::Seal::kIssuedFieldNumber, kVarint);
constexpr char kSignature = tag(v1::Seal::kSignatureFieldNumber, kBytes);

}  // namespace

Hasher::Hasher() {
  const auto bytes = picket::random_bytes(sizeof secret_);
  std::memcpy(secret_, bytes.data(), sizeof secret_);
}

void release(Entry* entry) {
  if (--entry->refs != 0) return;
  entry->~Entry();
  std::free(entry);
}

EntryRef make_entry(const Key& key, std::uint64_t hash, std::string_view said, std::uint8_t signer, std::int64_t issued, std::string_view signature, std::int64_t fresh_until) {
  std::string seal(1, kIssued);
  put_varint(seal, static_cast<std::uint64_t>(issued));
  put_field(seal, kSignature, signature);
  // The signer has another number in each reply: last, and always one byte long.
  static_assert(picket::ksn::kMostSigners < 0x80);
  seal.append({kSigner, 0});
  std::string answer;
  put_field(answer, kSaid, said);
  put_field(answer, kSeal, seal);
  std::string wire;
  put_field(wire, kAnswers, answer);

  void* memory = std::malloc(sizeof(Entry) + wire.size());
  if (memory == nullptr) throw std::bad_alloc();
  auto* entry = new (memory) Entry;
  entry->key = key;
  entry->signer = signer;
  entry->hash = hash;
  entry->fresh_until = fresh_until;
  entry->size = static_cast<std::uint32_t>(wire.size());
  std::memcpy(entry->wire(), wire.data(), wire.size());
  return EntryRef(entry);
}

std::string signer_wire(std::string_view signer) {
  std::string out;
  put_field(out, kSigners, signer);
  return out;
}

void ReplyWriter::add(Entry& entry) {
  auto& number = numbers_[entry.signer];
  if (number == kNone) {
    number = count_++;
    out_.append(signers_[entry.signer]);
  }
  out_.append(entry.wire(), entry.size);
  out_.back() = static_cast<char>(number);
}

}  // namespace ksn_proxy
