#include "asking.hpp"

#include <algorithm>

#include "ksn/limits.hpp"

namespace ksn_service {
namespace {

using picket::cat;
using picket::ksn_store::append_varint;

// The messages of an answer are written field by field: parsing and building objects would cost more than looking up.
constexpr char field(int number, int wire_type) { return static_cast<char>(number << 3 | wire_type); }
constexpr int kVarint = 0, kBytes = 2;

void append_bytes(int number, std::string_view bytes, std::string& out) {
  out += field(number, kBytes);
  append_varint(bytes.size(), out);
  out += bytes;
}

std::string seconds_field(int number, std::uint32_t seconds) {
  std::string out(1, field(number, kVarint));
  append_varint(seconds, out);
  return out;
}

std::string seal_of(std::int64_t issued, const std::string& signature) {
  v1::Seal seal;
  seal.set_issued(issued);
  seal.set_signature(signature);
  return seal.SerializeAsString();
}

constexpr std::size_t kMostUnknown = 64;

}  // namespace

Asking::Asking(const ServiceSettings& settings) : settings_(settings) {
  const auto& ttl = settings.ttl;
  const std::array<std::uint32_t, 4> seconds{ttl.unknown, ttl.trusted, ttl.abusable, ttl.untrusted};
  for (std::size_t i = 0; i < seconds.size(); ++i) ttl_[i] = seconds_field(v1::Facts::kTtlSecondsFieldNumber, seconds[i]);
  prefix_ttl_ = seconds_field(v1::UnderPrefix::kTtlSecondsFieldNumber, ttl.prefix);
}

tl::expected<std::size_t, Refused> Asking::count(const v1::AskRequest& request) {
  const auto refuse = [](v1::Refusal::Why why, std::string text) { return tl::unexpected<Refused>({why, std::move(text), 0}); };
  std::size_t out = 0;
  for (const auto& questions : request.questions()) {
    const auto length = questions.length();
    if (questions.kind() < v1::OBJECT_FILE || questions.kind() > v1::OBJECT_SOFTWARE) return refuse(v1::Refusal::MALFORMED, cat("kind ", std::to_string(questions.kind()), " is unknown"));
    if (length < picket::ksn::kLeastPrefixBytes || length > picket::ksn::kDigestBytes)
      return refuse(v1::Refusal::MALFORMED, cat("digests of ", std::to_string(length), " bytes: from 4 (a prefix) to 32"));
    if (questions.digests().size() % length != 0) return refuse(v1::Refusal::MALFORMED, "digests that are cut off");
    out += questions.digests().size() / length;
    if (out > picket::ksn::kMostQuestions) return refuse(v1::Refusal::TOO_LARGE, "more than 1000 questions");
  }
  return out;
}

bool Asking::append_answer(const picket::ksn::Question& question, Sealing& sealing, std::string& out) {
  answer_.clear();
  append_bytes(v1::Answer::kSaidFieldNumber, said_, answer_);
  std::string signature;
  if (sealing.each) {
    auto signed_ = sealing.signer.sign(sealing.statement.of_answer(question, said_));
    if (!signed_) return false;
    signature = std::move(*signed_);
    append_bytes(v1::Answer::kSealFieldNumber, seal_of(sealing.issued, signature), answer_);
  }
  append_bytes(v1::AskReply::kAnswersFieldNumber, answer_, out);
  digest_.add(question, said_, signature);
  return true;
}

tl::expected<std::string, Refused> Asking::answer(const v1::AskRequest& request, picket::ksn_store::Store& store, const Signer& signer, std::int64_t now, AskCounts& counts,
                                                  std::vector<std::string_view>& unknown) {
  const auto store_failed = [this](picket::Error error) {
    // A prefix that is too short is the asker's to change; all else is the store's.
    if (error.code == picket::Code::too_large) return tl::unexpected<Refused>({v1::Refusal::TOO_LARGE, cat(error.message, ": ask by more bytes"), 0});
    last_error_ = std::move(error);
    return tl::unexpected<Refused>({v1::Refusal::UNAVAILABLE, "the service cannot reach its store now", 30});
  };
  const auto cannot_sign = [] { return tl::unexpected<Refused>({v1::Refusal::UNAVAILABLE, "the service cannot sign now", 30}); };
  Sealing sealing{signer, {settings_.name, settings_.private_ksn, now}, now, request.each_sealed()};
  (void)digest_.take();  // of a request that was refused in its middle
  last_error_ = {};
  std::string out;
  const auto is_too_large = [&] { return out.size() > picket::ksn::kMostReplyBytes - 4096; };
  const auto too_large = [] { return tl::unexpected<Refused>({v1::Refusal::TOO_LARGE, "the answer would be larger than 4 MiB: ask for less at a time", 0}); };
  for (const auto& questions : request.questions()) {
    const std::string_view digests = questions.digests();
    const std::size_t length = questions.length();
    if (length == picket::ksn::kDigestBytes) {
      batch_.clear();
      if (auto looked = store.look_up(questions.kind(), digests, batch_); !looked) return store_failed(std::move(looked).error());
      out.reserve(out.size() + batch_.bytes.size() + batch_.of.size() * 16 + 512);
      for (std::size_t i = 0; i < batch_.of.size(); ++i) {
        const auto digest = digests.substr(i * length, length);
        const auto facts = batch_.facts(i);
        said_.assign(facts).append(ttl_[std::min<std::size_t>(batch_.of[i].verdict, 3)]);
        if (!append_answer({questions.kind(), digest}, sealing, out)) return cannot_sign();
        if (!facts.empty())
          ++counts.known;
        else if (questions.kind() == v1::OBJECT_FILE && unknown.size() < kMostUnknown)
          unknown.push_back(digest);
      }
      counts.digests += batch_.of.size();
      continue;
    }
    for (std::size_t at = 0; at < digests.size(); at += length) {
      const auto prefix = digests.substr(at, length);
      auto under = store.under(questions.kind(), prefix, picket::ksn::kMostUnderPrefix);
      if (!under) return store_failed(std::move(under).error());
      said_.clear();
      for (const auto& one : *under) {
        found_.clear();
        append_bytes(v1::Found::kDigestFieldNumber, one.digest, found_);
        append_bytes(v1::Found::kFactsFieldNumber, cat(one.facts, ttl_[std::min<std::size_t>(one.verdict, 3)]), found_);
        append_bytes(v1::UnderPrefix::kFoundFieldNumber, found_, said_);
      }
      said_ += prefix_ttl_;
      if (!append_answer({questions.kind(), prefix}, sealing, out)) return cannot_sign();
      if (is_too_large()) return too_large();
      ++counts.prefixes;
      counts.known += under->size();
    }
  }
  if (is_too_large()) return too_large();
  if (out.empty()) return out;
  v1::AskReply rest;
  auto& whose = *rest.add_signers();
  whose.set_keyid(signer.keyid());
  whose.set_ksn(settings_.name);
  whose.set_private_ksn(settings_.private_ksn);
  auto signature = signer.sign(sealing.statement.of_reply(digest_.take()));
  if (!signature) return cannot_sign();
  rest.mutable_seal()->set_issued(now);
  rest.mutable_seal()->set_signature(std::move(*signature));
  rest.AppendToString(&out);  // messages may be joined
  return out;
}

}  // namespace ksn_service
