// Signing a batch of answers once, and checking any one of them alone: a Merkle tree as in RFC 9162 section 2.1 (SHA-256).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "trust/keys.hpp"

namespace picket::ksn::v1 {
class AskReply;
class Head;
class Record;
class SignedHead;
}  // namespace picket::ksn::v1

namespace picket::ksn {

// 32 bytes, of records as they are on the wire. Empty records: SHA-256 of nothing.
[[nodiscard]] std::string merkle_root(std::span<const std::string_view> records);
// The inclusion proofs of all records: what a proxy keeps with each answer. 32 bytes each, from the leaf's sibling up.
[[nodiscard]] std::vector<std::string> merkle_paths(std::span<const std::string_view> records);
// The root that this record at `leaf` of `leaves` with this path leads to; Code::invalid when the path has not the right length.
[[nodiscard]] Result<std::string> merkle_root_of(std::string_view record, std::uint64_t leaf, std::uint64_t leaves, std::string_view path);

// The tree of a batch, for who signs or checks many: keeps its memory from batch to batch and allocates nothing per node. One thread at a time.
class Tree {
 public:
  void clear() { nodes_.clear(), level_sizes_.clear(), leaves_ = 0; }
  void add(std::string_view record);   // the next leaf; not after root() until clear()
  [[nodiscard]] std::size_t leaves() const { return leaves_; }
  [[nodiscard]] std::string_view root();  // 32 bytes, valid until clear()
  void append_path(std::size_t leaf, std::string& out);  // leaf < leaves()

 private:
  void grow();

  std::string nodes_;                     // level after level, 32 bytes each
  std::vector<std::size_t> level_sizes_;  // empty until grown
  std::size_t leaves_ = 0;
};

// "picket-ksn-head-v1\n" + head: the bytes that are signed.
[[nodiscard]] std::string signed_bytes(std::string_view head);
[[nodiscard]] Result<v1::SignedHead> sign_head(const v1::Head& head, const trust::PrivateKey& key);
// For who signs many heads: `keyid` is key.public_key().key_id(), which costs to work out.
[[nodiscard]] Result<> sign_head(const v1::Head& head, const trust::PrivateKey& key, std::string_view keyid, v1::SignedHead& out);

// A checked answer: its record, and where its proof is, for who wants to keep it.
struct Proven {
  std::string record;            // as on the wire: a v1::Record
  std::string path;              // computed when the reply came without
  std::uint64_t leaf = 0;
  std::size_t head = 0;          // index into AskReply.heads
};

// A record of the right form and within limits.hpp; Code::invalid or too_large says what is wrong. Who reads an answer compares kind and
// `asked` with the question: an honest answer to another question is still none to this one.
[[nodiscard]] Result<> check_record(const v1::Record& record);

// Remembers the heads it has verified (bounded): a proxy repeats them often. One thread at a time.
class Verifier {
 public:
  // keys: of the provider. ksn, private_ksn: what a head must say.
  Verifier(std::vector<trust::PublicKey> keys, std::string ksn, bool private_ksn);

  // Every answer of the reply, in order, or Code::untrusted / Code::invalid with what is wrong. Checks: signatures, inclusion, the head's
  // name, `issued` not after now + kClockSkewSeconds, check_record. Whether an answer is still fresh is its reader's to say (fresh_until).
  [[nodiscard]] Result<std::vector<Proven>> verify(const v1::AskReply& reply, std::int64_t now);

 private:
  [[nodiscard]] Result<> check_head(const v1::SignedHead& signed_head, const v1::Head& head, std::int64_t now);

  std::vector<trust::PublicKey> keys_;
  std::vector<std::string> key_ids_;
  std::string ksn_;
  bool private_ksn_;
  Tree tree_;
  std::vector<std::string> seen_;  // digests of heads with good signatures, a ring
  std::size_t next_ = 0;
};

// Unix seconds until which a record is fresh: issued + its ttl, never more than kMostTtlSeconds.
[[nodiscard]] std::int64_t fresh_until(const v1::Record& record, std::int64_t issued);
// And until which who keeps it may repeat it. Without a time to live it is for one question: 0, where the clock of the KSN is ahead, too.
[[nodiscard]] std::int64_t repeatable_until(const v1::Record& record, std::int64_t issued);

}  // namespace picket::ksn
