#include "ksn/answers.hpp"

#include <algorithm>
#include <limits>

#include "base/bytes.hpp"
#include "base/digest.hpp"
#include "ksn/limits.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace picket::ksn {
namespace {

constexpr std::size_t kMostHeadBytes = 1024, kMostSignatureBytes = 1024, kSeenHeads = 512;

// A root that fits is proof enough whatever `leaves` says; the bound only keeps numbers sane.
constexpr std::uint64_t kMostLeaves = std::uint64_t{1} << 40;

Result<> check_facts(const v1::Facts& facts) {
  if (!v1::Verdict_IsValid(facts.verdict())) return fail(Code::invalid, cat("verdict ", std::to_string(facts.verdict()), " is unknown"));
  for (const auto* text : {&facts.category(), &facts.threat(), &facts.publisher(), &facts.product()})
    if (text->size() > kMostTextBytes) return fail(Code::too_large, "a text of more than 256 bytes");
  if (static_cast<std::size_t>(facts.countries_size()) > kMostCountries) return fail(Code::too_large, "more than 10 countries");
  for (const auto& country : facts.countries())
    if (country.size() != 2) return fail(Code::invalid, "a country that is not two letters");
  return {};
}

std::int64_t ttl_of(const v1::Record& record) {
  return std::min(record.asked().size() == kDigestBytes ? record.facts().ttl_seconds() : record.ttl_seconds(), kMostTtlSeconds);
}

std::string nth(std::string_view what, std::size_t index) { return cat("reply: ", what, " ", std::to_string(index)); }

std::string id_of(const v1::SignedHead& head) {
  // Lengths keep the three apart; the signature counts too: a proxy must not hand on a head whose signature nobody checked.
  return sha256_hex(cat(std::to_string(head.head().size()), ":", std::to_string(head.keyid().size()), ":", head.head(), head.keyid(), head.signature()));
}

}  // namespace

std::string signed_bytes(std::string_view head) { return cat("picket-ksn-head-v1\n", head); }

Result<> sign_head(const v1::Head& head, const trust::PrivateKey& key, std::string_view keyid, v1::SignedHead& out) {
  if (!head.SerializeToString(out.mutable_head())) return fail(Code::internal, "cannot write a head");
  PICKET_LET(signature, key.sign(signed_bytes(out.head())));
  out.set_keyid(std::string(keyid));
  out.set_signature(std::move(signature));
  return {};
}

Result<v1::SignedHead> sign_head(const v1::Head& head, const trust::PrivateKey& key) {
  v1::SignedHead out;
  PICKET_TRY(sign_head(head, key, key.public_key().key_id(), out));
  return out;
}

Result<> check_record(const v1::Record& record) {
  if (record.kind() != v1::OBJECT_FILE && record.kind() != v1::OBJECT_ADDRESS && record.kind() != v1::OBJECT_SOFTWARE)
    return fail(Code::invalid, cat("kind ", std::to_string(record.kind()), " is unknown"));
  const auto length = record.asked().size();
  if (length < kLeastPrefixBytes || length > kDigestBytes) return fail(Code::invalid, cat("a digest of ", std::to_string(length), " bytes"));
  PICKET_TRY(check_facts(record.facts()));
  if (record.found_size() == 0) return {};
  if (length == kDigestBytes) return fail(Code::invalid, "a list under a full digest");
  if (static_cast<std::size_t>(record.found_size()) > kMostUnderPrefix) return fail(Code::too_large, "more than 1000 objects under a prefix");
  for (const auto& found : record.found()) {
    if (found.digest().size() != kDigestBytes || !found.digest().starts_with(record.asked())) return fail(Code::invalid, "a digest that is not under its prefix");
    PICKET_TRY(check_facts(found.facts()));
  }
  return {};
}

std::int64_t fresh_until(const v1::Record& record, std::int64_t issued) {
  const auto ttl = ttl_of(record);
  return issued > std::numeric_limits<std::int64_t>::max() - ttl ? issued : issued + ttl;
}

std::int64_t repeatable_until(const v1::Record& record, std::int64_t issued) { return ttl_of(record) == 0 ? 0 : fresh_until(record, issued); }

Verifier::Verifier(std::vector<trust::PublicKey> keys, std::string ksn, bool private_ksn)
    : keys_(std::move(keys)), ksn_(std::move(ksn)), private_ksn_(private_ksn) {
  for (const auto& key : keys_) key_ids_.push_back(key.key_id());
}

Result<> Verifier::check_head(const v1::SignedHead& signed_head, const v1::Head& head, std::int64_t now) {
  if (head.ksn() != ksn_ || head.private_ksn() != private_ksn_)
    return fail(Code::untrusted, cat("is of the ", head.private_ksn() ? "private" : "global", " KSN \"", whole_characters(head.ksn(), 64), "\", not of \"", ksn_, "\""));
  if (head.issued() > now + kClockSkewSeconds) return fail(Code::untrusted, cat("was issued ", std::to_string(head.issued() - now), " seconds in the future: a clock is wrong"));
  auto id = id_of(signed_head);
  if (std::find(seen_.begin(), seen_.end(), id) != seen_.end()) return {};
  const auto named = std::find(key_ids_.begin(), key_ids_.end(), signed_head.keyid());
  if (named == key_ids_.end()) return fail(Code::untrusted, cat("is signed by the key ", signed_head.keyid().substr(0, 16), ", which is none of the provider's"));
  if (!keys_[static_cast<std::size_t>(named - key_ids_.begin())].verify(signed_bytes(signed_head.head()), signed_head.signature()))
    return fail(Code::untrusted, "has a wrong signature");
  if (seen_.size() < kSeenHeads)
    seen_.push_back(std::move(id));
  else
    seen_[next_++ % kSeenHeads] = std::move(id);
  return {};
}

Result<std::vector<Proven>> Verifier::verify(const v1::AskReply& reply, std::int64_t now) {
  const auto answers = static_cast<std::size_t>(reply.answers_size()), heads = static_cast<std::size_t>(reply.heads_size());
  if (answers > kMostQuestions) return fail(Code::too_large, cat("reply: ", std::to_string(answers), " answers, at most 1000"));
  if (heads > kMostQuestions) return fail(Code::too_large, cat("reply: ", std::to_string(heads), " heads, at most 1000"));

  struct Of {
    std::vector<std::size_t> answers;
    bool paths = false;
  };
  std::vector<Of> of(heads);
  v1::Record record;
  for (std::size_t i = 0; i < answers; ++i) {
    const auto& answer = reply.answers(static_cast<int>(i));
    if (answer.head() >= heads) return fail(Code::invalid, cat(nth("answer", i), " names head ", std::to_string(answer.head()), " of ", std::to_string(heads)));
    if (!record.ParseFromString(answer.record())) return fail(Code::invalid, cat(nth("answer", i), " holds no record"));
    if (auto good = check_record(record); !good) return fail(std::move(good).error(), nth("answer", i));
    auto& head = of[answer.head()];
    head.answers.push_back(i);
    head.paths = head.paths || !answer.path().empty();
  }

  std::vector<Proven> out(answers);
  v1::Head head;
  for (std::size_t h = 0; h < heads; ++h) {
    if (of[h].answers.empty()) continue;  // of no use, and not worth checking a signature
    const auto& signed_head = reply.heads(static_cast<int>(h));
    if (signed_head.head().size() > kMostHeadBytes || signed_head.signature().size() > kMostSignatureBytes || signed_head.keyid().size() > kMostTextBytes)
      return fail(Code::too_large, cat(nth("head", h), " is too large"));
    if (!head.ParseFromString(signed_head.head())) return fail(Code::invalid, cat(nth("head", h), " is malformed"));
    if (head.root().size() != kDigestBytes || head.leaves() == 0 || head.leaves() > kMostLeaves) return fail(Code::invalid, cat(nth("head", h), " has no usable root"));
    if (auto good = check_head(signed_head, head, now); !good) return fail(std::move(good).error(), nth("head", h));

    if (!of[h].paths) {
      if (of[h].answers.size() != head.leaves())
        return fail(Code::untrusted, cat(nth("head", h), " has ", std::to_string(head.leaves()), " answers, ", std::to_string(of[h].answers.size()), " came, without proofs"));
      tree_.clear();
      for (const auto i : of[h].answers) tree_.add(reply.answers(static_cast<int>(i)).record());
      if (tree_.root() != head.root()) return fail(Code::untrusted, cat(nth("head", h), " does not vouch for the answers that name it"));
    }
    for (std::size_t n = 0; n < of[h].answers.size(); ++n) {
      const auto i = of[h].answers[n];
      const auto& answer = reply.answers(static_cast<int>(i));
      auto& proven = out[i];
      proven.record = answer.record();
      proven.head = h;
      if (of[h].paths) {
        auto root = merkle_root_of(answer.record(), answer.leaf(), head.leaves(), answer.path());
        if (!root) return fail(std::move(root).error(), nth("answer", i));
        if (*root != head.root()) return fail(Code::untrusted, cat(nth("answer", i), " is not what its head vouches for"));
        proven.path = answer.path();
        proven.leaf = answer.leaf();
      } else {
        if (answer.leaf() != 0 && answer.leaf() != n)
          return fail(Code::invalid, cat(nth("answer", i), " is said to be leaf ", std::to_string(answer.leaf()), ", but is ", std::to_string(n)));
        proven.leaf = n;
        tree_.append_path(n, proven.path);
      }
    }
  }
  return out;
}

}  // namespace picket::ksn
