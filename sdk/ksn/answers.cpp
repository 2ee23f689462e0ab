// SHA256_* instead of EVP: the same code of OpenSSL without calls through the provider, of which there would be several for each answer.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "ksn/answers.hpp"

#include <algorithm>
#include <limits>

#include <openssl/sha.h>

#include "base/bytes.hpp"
#include "ksn/limits.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace picket::ksn {
namespace {

constexpr std::size_t kMostSignatureBytes = 1024;

template <std::size_t Bytes>
void append_number(std::uint64_t number, std::string& out) {
  for (std::size_t i = Bytes; i-- > 0;) out += static_cast<char>(number >> (8 * i));
}

std::string nth(std::string_view what, std::size_t index) { return cat("reply: ", what, " ", std::to_string(index)); }

Result<> check_facts(const v1::Facts& facts) {
  if (!v1::Verdict_IsValid(facts.verdict())) return fail(Code::invalid, cat("verdict ", std::to_string(facts.verdict()), " is unknown"));
  for (const auto* text : {&facts.category(), &facts.threat(), &facts.publisher(), &facts.product()})
    if (text->size() > kMostTextBytes) return fail(Code::too_large, "a text of more than 256 bytes");
  if (static_cast<std::size_t>(facts.countries_size()) > kMostCountries) return fail(Code::too_large, "more than 10 countries");
  for (const auto& country : facts.countries())
    if (country.size() != 2) return fail(Code::invalid, "a country that is not two letters");
  return {};
}

// The answer's time to live in seconds.
Result<std::uint32_t> check_said(const Question& question, const std::string& said) {
  if (question.asked.size() == kDigestBytes) {
    v1::Facts facts;
    if (!facts.ParseFromString(said)) return fail(Code::invalid, "holds no facts");
    PICKET_TRY(check_facts(facts));
    return facts.ttl_seconds();
  }
  v1::UnderPrefix list;
  if (!list.ParseFromString(said)) return fail(Code::invalid, "holds no list of what is under its prefix");
  if (static_cast<std::size_t>(list.found_size()) > kMostUnderPrefix) return fail(Code::too_large, "more than 1000 objects under a prefix");
  for (const auto& found : list.found()) {
    if (found.digest().size() != kDigestBytes || !found.digest().starts_with(question.asked)) return fail(Code::invalid, "a digest that is not under its prefix");
    PICKET_TRY(check_facts(found.facts()));
  }
  return list.ttl_seconds();
}

}  // namespace

std::vector<Question> questions_of(const v1::AskRequest& request) {
  std::vector<Question> out;
  for (const auto& group : request.questions()) {
    std::string_view digests = group.digests();
    const std::size_t length = group.length();
    for (; length > 0 && digests.size() >= length; digests.remove_prefix(length)) out.push_back({group.kind(), digests.substr(0, length)});
  }
  return out;
}

// ---- what is signed

Statement::Statement(std::string_view ksn, bool private_ksn, std::int64_t issued) : who_([&] {
    std::string who;
    append_number<8>(static_cast<std::uint64_t>(issued), who);
    append_number<1>(private_ksn ? 1 : 0, who);
    append_number<2>(ksn.size(), who);
    return who.append(ksn);
  }()) {}

std::string_view Statement::begin(std::string_view mark) { return bytes_.assign(mark).append(who_); }

std::string_view Statement::of_answer(const Question& question, std::string_view said) {
  begin("picket-ksn-answer-v1\n");
  append_number<1>(static_cast<std::uint64_t>(question.kind), bytes_);
  append_number<1>(question.asked.size(), bytes_);
  return bytes_.append(question.asked).append(said);
}

std::string_view Statement::of_reply(std::string_view digest) {
  begin("picket-ksn-reply-v1\n");
  return bytes_.append(digest);
}

struct ReplyDigest::State {
  SHA256_CTX context;
  std::string bytes;  // of one answer: updated at once
};

ReplyDigest::ReplyDigest() : state_(std::make_unique<State>()) { ::SHA256_Init(&state_->context); }
ReplyDigest::~ReplyDigest() = default;
ReplyDigest::ReplyDigest(ReplyDigest&&) noexcept = default;

void ReplyDigest::add(const Question& question, std::string_view said, std::string_view own_signature) {
  auto& bytes = state_->bytes;
  bytes.clear();
  append_number<1>(static_cast<std::uint64_t>(question.kind), bytes);
  append_number<1>(question.asked.size(), bytes);
  bytes.append(question.asked);
  append_number<4>(said.size(), bytes);
  bytes.append(said);
  append_number<2>(own_signature.size(), bytes);
  bytes.append(own_signature);
  ::SHA256_Update(&state_->context, bytes.data(), bytes.size());
}

std::string ReplyDigest::take() {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  ::SHA256_Final(digest, &state_->context);
  ::SHA256_Init(&state_->context);
  return {reinterpret_cast<const char*>(digest), sizeof digest};
}

Result<> seal(v1::AskReply& reply, std::span<const Question> questions, std::string_view ksn, bool private_ksn, std::int64_t issued, const trust::PrivateKey& key, bool each) {
  if (static_cast<std::size_t>(reply.answers_size()) != questions.size()) return fail(Code::internal, "there is not one answer for each question");
  reply.clear_signers();
  auto& signer = *reply.add_signers();
  signer.set_keyid(key.public_key().key_id());
  signer.set_ksn(std::string(ksn));
  signer.set_private_ksn(private_ksn);
  Statement statement(ksn, private_ksn, issued);
  ReplyDigest digest;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    auto& answer = *reply.mutable_answers(static_cast<int>(i));
    answer.clear_seal();
    if (each) {
      PICKET_LET(signature, key.sign(statement.of_answer(questions[i], answer.said())));
      answer.mutable_seal()->set_issued(issued);
      answer.mutable_seal()->set_signature(std::move(signature));
    }
    digest.add(questions[i], answer.said(), answer.seal().signature());
  }
  PICKET_LET(signature, key.sign(statement.of_reply(digest.take())));
  reply.mutable_seal()->set_signer(0);
  reply.mutable_seal()->set_issued(issued);
  reply.mutable_seal()->set_signature(std::move(signature));
  return {};
}

// ---- checking

std::int64_t fresh_until(std::uint32_t ttl_seconds, std::int64_t issued) {
  const auto ttl = std::min(ttl_seconds, kMostTtlSeconds);
  return issued > std::numeric_limits<std::int64_t>::max() - ttl ? issued : issued + ttl;
}

std::int64_t repeatable_until(std::uint32_t ttl_seconds, std::int64_t issued) { return ttl_seconds == 0 ? 0 : fresh_until(ttl_seconds, issued); }

Verifier::Verifier(std::vector<trust::PublicKey> keys, std::string ksn, bool private_ksn)
    : keys_(std::move(keys)), ksn_(std::move(ksn)), private_ksn_(private_ksn) {
  for (const auto& key : keys_) key_ids_.push_back(key.key_id());
}

std::vector<v1::Signer> Verifier::signers() const {
  std::vector<v1::Signer> out(keys_.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].set_keyid(key_ids_[i]);
    out[i].set_ksn(ksn_);
    out[i].set_private_ksn(private_ksn_);
  }
  return out;
}

Result<std::size_t> Verifier::signer_of(const v1::Seal& seal, const v1::AskReply& reply, std::int64_t now) const {
  const auto signers = static_cast<std::size_t>(reply.signers_size());
  if (seal.signer() >= signers) return fail(Code::invalid, cat("is sealed by signer ", std::to_string(seal.signer()), " of ", std::to_string(signers)));
  const auto& signer = reply.signers(static_cast<int>(seal.signer()));
  if (signer.ksn() != ksn_ || signer.private_ksn() != private_ksn_)
    return fail(Code::untrusted, cat("is of the ", signer.private_ksn() ? "private" : "global", " KSN \"", whole_characters(signer.ksn(), 64), "\", not of \"", ksn_, "\""));
  if (seal.issued() > now + kClockSkewSeconds) return fail(Code::untrusted, cat("was issued ", std::to_string(seal.issued() - now), " seconds in the future: a clock is wrong"));
  if (seal.signature().size() > kMostSignatureBytes) return fail(Code::too_large, "has a signature of more than 1024 bytes");
  const auto named = std::find(key_ids_.begin(), key_ids_.end(), signer.keyid());
  if (named == key_ids_.end()) return fail(Code::untrusted, cat("is signed by the key ", whole_characters(signer.keyid(), 16), ", which is none of the provider's"));
  return static_cast<std::size_t>(named - key_ids_.begin());
}

Result<std::vector<Proven>> Verifier::verify(const v1::AskReply& reply, std::span<const Question> questions, std::int64_t now) const {
  if (static_cast<std::size_t>(reply.answers_size()) != questions.size())
    return fail(Code::untrusted, cat("reply: ", std::to_string(reply.answers_size()), " answers to ", std::to_string(questions.size()), " questions"));
  if (questions.size() > kMostQuestions) return fail(Code::too_large, cat("reply: ", std::to_string(questions.size()), " answers, at most 1000"));
  if (static_cast<std::size_t>(reply.signers_size()) > kMostSigners) return fail(Code::too_large, cat("reply: ", std::to_string(reply.signers_size()), " signers, at most 16"));

  // What is cheap first: a signature takes longer to check than all else.
  std::vector<Proven> out(questions.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto& answer = reply.answers(static_cast<int>(i));
    const auto ttl = check_said(questions[i], answer.said());
    if (!ttl) return fail(Error(ttl.error()), nth("answer", i));
    const auto& seal = reply.has_seal() ? reply.seal() : answer.seal();
    if (!reply.has_seal() && !answer.has_seal()) return fail(Code::untrusted, cat(nth("answer", i), " is not sealed"));
    // What a reply's seal covers has two bytes for this length: a longer signature could be cut out of honest answers, and hide some of them.
    if (answer.seal().signature().size() > kMostSignatureBytes) return fail(Code::too_large, cat(nth("answer", i), " has a signature of more than 1024 bytes"));
    if (answer.has_seal() && (answer.seal().signer() != seal.signer() || answer.seal().issued() != seal.issued()))
      return fail(Code::invalid, cat(nth("answer", i), " has a seal of its own by another signer or of another time than its reply"));
    if (const auto until = fresh_until(*ttl, seal.issued()); until < now - kClockSkewSeconds)
      return fail(Code::expired, cat(nth("answer", i), " is out of date by ", std::to_string(now - std::max<std::int64_t>(until, 0)), " s: are the clocks right?"));
    out[i] = {answer.said(), 0, seal.issued(), repeatable_until(*ttl, seal.issued())};
  }

  if (!reply.has_seal()) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto& seal = reply.answers(static_cast<int>(i)).seal();
      const auto signer = signer_of(seal, reply, now);
      if (!signer) return fail(Error(signer.error()), nth("answer", i));
      out[i].signer = *signer;
      if (!keys_[*signer].verify(Statement(ksn_, private_ksn_, seal.issued()).of_answer(questions[i], out[i].said), seal.signature()))
        return fail(Code::untrusted, cat(nth("answer", i), " has a wrong signature"));
    }
    return out;
  }
  const auto signer = signer_of(reply.seal(), reply, now);
  if (!signer) return fail(Error(signer.error()), "reply");
  ReplyDigest digest;
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].signer = *signer;
    digest.add(questions[i], out[i].said, reply.answers(static_cast<int>(i)).seal().signature());
  }
  if (!keys_[*signer].verify(Statement(ksn_, private_ksn_, reply.seal().issued()).of_reply(digest.take()), reply.seal().signature()))
    return fail(Code::untrusted, "reply: has a wrong signature");
  return out;
}

}  // namespace picket::ksn
