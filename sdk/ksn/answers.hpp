// Sealing answers and checking them. One signature seals a whole reply for who asked; who hands answers on asks for a seal of each answer by itself:
// a proxy can repeat answers, not invent them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "trust/keys.hpp"

namespace picket::ksn::v1 {
class AskReply;
class AskRequest;
class Seal;
class Signer;
}  // namespace picket::ksn::v1

namespace picket::ksn {

// One object or prefix that is asked for. Answers do not repeat it: what is signed does.
struct Question {
  int kind;                // v1::ObjectKind
  std::string_view asked;  // 4 to 32 bytes
};
// In order, of a request that holds whole digests; they point into it.
[[nodiscard]] std::vector<Question> questions_of(const v1::AskRequest& request);

// What is signed, in this order; numbers are big-endian:
//   "picket-ksn-reply-v1\n" or "picket-ksn-answer-v1\n", `issued` (8 bytes), private KSN (1: 0 or 1), length of the KSN's name (2), the name;
//   of a reply then SHA-256 over all answers, each as: kind (1), length of what is asked (1), that, length of `said` (4), that, length of its own
//   seal's signature (2; 0: none), that;
//   of an answer then: kind (1), length of what is asked (1), that, `said`.
class Statement {
 public:
  Statement(std::string_view ksn, bool private_ksn, std::int64_t issued);
  // The bytes to sign; valid until the next call.
  [[nodiscard]] std::string_view of_answer(const Question& question, std::string_view said);
  [[nodiscard]] std::string_view of_reply(std::string_view digest);

 private:
  std::string_view begin(std::string_view mark);
  const std::string who_;
  std::string bytes_;
};

// The SHA-256 of a reply's answers. own_signature: less than 64 KiB, which is its asker's to check.
class ReplyDigest {
 public:
  ReplyDigest();
  ~ReplyDigest();
  ReplyDigest(ReplyDigest&&) noexcept;
  void add(const Question& question, std::string_view said, std::string_view own_signature);
  [[nodiscard]] std::string take();  // 32 bytes; begins anew

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Seals a reply that has all answers as a service does. Replaces its signers and seals. ksn: at most kMostTextBytes. each: each answer by itself, too.
[[nodiscard]] Result<> seal(v1::AskReply& reply, std::span<const Question> questions, std::string_view ksn, bool private_ksn, std::int64_t issued, const trust::PrivateKey& key, bool each);

// A checked answer.
struct Proven {
  std::string_view said;           // in the reply: Facts of a full digest, UnderPrefix of a prefix
  std::size_t signer = 0;          // of the verifier's
  std::int64_t issued = 0;         // Unix seconds, as the others
  std::int64_t repeatable_until = 0;
};

// Any thread.
class Verifier {
 public:
  // keys: of the provider. ksn, private_ksn: what a signer must say.
  Verifier(std::vector<trust::PublicKey> keys, std::string ksn, bool private_ksn);

  // One for each key, in their order.
  [[nodiscard]] std::vector<v1::Signer> signers() const;

  // Every answer of the reply, in order, or Code::untrusted, invalid, expired or too_large with what is wrong: answers that are missing, a signature, a
  // name, `issued` after now + kClockSkewSeconds, a time to live that ended before now - kClockSkewSeconds, an answer of the wrong form or beyond
  // limits.hpp. An honest answer to another question has a wrong signature here.
  [[nodiscard]] Result<std::vector<Proven>> verify(const v1::AskReply& reply, std::span<const Question> questions, std::int64_t now) const;

 private:
  [[nodiscard]] Result<std::size_t> signer_of(const v1::Seal& seal, const v1::AskReply& reply, std::int64_t now) const;

  std::vector<trust::PublicKey> keys_;
  std::vector<std::string> key_ids_;
  std::string ksn_;
  bool private_ksn_;
};

// Unix seconds until which an answer is fresh: issued + its time to live, never more than kMostTtlSeconds.
[[nodiscard]] std::int64_t fresh_until(std::uint32_t ttl_seconds, std::int64_t issued);
// And until which who keeps it may repeat it. Without a time to live it is for one question: 0, where the clock of the KSN is ahead, too.
[[nodiscard]] std::int64_t repeatable_until(std::uint32_t ttl_seconds, std::int64_t issued);

}  // namespace picket::ksn
