#include "asking.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "ksn/limits.hpp"

namespace ksn_service {
namespace {

using picket::cat;
using picket::ksn_store::append_varint;
using picket::ksn_store::put_varint;

// The messages of an answer are written field by field: parsing and building objects would cost more than looking up.
constexpr char field(int number, int wire_type) { return static_cast<char>(number << 3 | wire_type); }
constexpr int kVarint = 0, kBytes = 2;

std::size_t varint_size(std::uint64_t number) { return (static_cast<std::size_t>(std::bit_width(number | 1)) + 6) / 7; }
char* put_bytes(std::string_view bytes, char* at) {
  std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

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

constexpr std::size_t kMostUnknown = 64;

}  // namespace

Asking::Asking(const ServiceSettings& settings) : settings_(settings) {
  const auto& ttl = settings.ttl;
  const std::array<std::uint32_t, 4> seconds{ttl.unknown, ttl.trusted, ttl.abusable, ttl.untrusted};
  for (std::size_t i = 0; i < seconds.size(); ++i) ttl_[i] = seconds_field(v1::Facts::kTtlSecondsFieldNumber, seconds[i]);
  prefix_ttl_ = seconds_field(v1::Record::kTtlSecondsFieldNumber, ttl.prefix);
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

// Answer{record}: neither head (the first) nor leaf and path (all leaves, in order) need saying. Returns where the record goes.
char* Asking::begin_answer(std::size_t record_bytes, std::string& out) {
  const auto answer_bytes = 1 + varint_size(record_bytes) + record_bytes, before = out.size();
  out.resize(before + 1 + varint_size(answer_bytes) + answer_bytes);
  char* at = out.data() + before;
  *at++ = field(v1::AskReply::kAnswersFieldNumber, kBytes);
  at = put_varint(answer_bytes, at);
  *at++ = field(v1::Answer::kRecordFieldNumber, kBytes);
  return put_varint(record_bytes, at);
}

void Asking::append_answer(int kind, std::string_view digest, std::string_view facts, std::string_view ttl, std::string& out) {
  static_assert(picket::ksn::kDigestBytes < 0x80, "its length is one byte");
  const auto facts_bytes = facts.size() + ttl.size(), record_bytes = 4 + digest.size() + 1 + varint_size(facts_bytes) + facts_bytes;
  char* const record = begin_answer(record_bytes, out);
  char* at = record;
  *at++ = field(v1::Record::kKindFieldNumber, kVarint);
  *at++ = static_cast<char>(kind);
  *at++ = field(v1::Record::kAskedFieldNumber, kBytes);
  *at++ = static_cast<char>(digest.size());
  at = put_bytes(digest, at);
  *at++ = field(v1::Record::kFactsFieldNumber, kBytes);
  at = put_bytes(ttl, put_bytes(facts, put_varint(facts_bytes, at)));
  tree_.add({record, record_bytes});
}

tl::expected<std::string, Refused> Asking::answer(const v1::AskRequest& request, picket::ksn_store::Store& store, const Signer& signer, std::int64_t now, AskCounts& counts,
                                                  std::vector<std::string_view>& unknown) {
  const auto store_failed = [](const picket::Error& error) {
    // A prefix that is too short is the asker's to change; all else is the store's.
    return error.code == picket::Code::too_large ? tl::unexpected<Refused>({v1::Refusal::TOO_LARGE, cat(error.message, ": ask by more bytes"), 0})
                                                 : tl::unexpected<Refused>({v1::Refusal::UNAVAILABLE, "the service cannot reach its store now", 30});
  };
  tree_.clear();
  std::string out;
  for (const auto& questions : request.questions()) {
    const std::string_view digests = questions.digests();
    const std::size_t length = questions.length();
    if (length == picket::ksn::kDigestBytes) {
      batch_.clear();
      if (auto looked = store.look_up(questions.kind(), digests, batch_); !looked) {
        last_error_ = std::move(looked).error();
        return store_failed(last_error_);
      }
      out.reserve(out.size() + batch_.bytes.size() + batch_.of.size() * 64 + 256);
      for (std::size_t i = 0; i < batch_.of.size(); ++i) {
        const auto digest = digests.substr(i * length, length);
        const auto facts = batch_.facts(i);
        append_answer(questions.kind(), digest, facts, ttl_[std::min<std::size_t>(batch_.of[i].verdict, 3)], out);
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
      if (!under) {
        last_error_ = std::move(under).error();
        return store_failed(last_error_);
      }
      record_.clear();
      record_ += field(v1::Record::kKindFieldNumber, kVarint);
      record_ += static_cast<char>(questions.kind());
      append_bytes(v1::Record::kAskedFieldNumber, prefix, record_);
      for (const auto& one : *under) {
        found_.clear();
        append_bytes(v1::Found::kDigestFieldNumber, one.digest, found_);
        append_bytes(v1::Found::kFactsFieldNumber, cat(one.facts, ttl_[std::min<std::size_t>(one.verdict, 3)]), found_);
        append_bytes(v1::Record::kFoundFieldNumber, found_, record_);
      }
      record_ += prefix_ttl_;
      put_bytes(record_, begin_answer(record_.size(), out));
      tree_.add(record_);
      if (out.size() > picket::ksn::kMostReplyBytes - 4096) return tl::unexpected<Refused>({v1::Refusal::TOO_LARGE, "the answer would be larger than 4 MiB: ask for less at a time", 0});
      ++counts.prefixes;
      counts.known += under->size();
    }
  }
  if (tree_.leaves() == 0) return out;
  v1::Head head;
  head.set_root(std::string(tree_.root()));
  head.set_leaves(tree_.leaves());
  head.set_issued(now);
  head.set_ksn(settings_.name);
  head.set_private_ksn(settings_.private_ksn);
  v1::SignedHead signed_head;
  if (auto good = signer.sign(head, signed_head); !good) return tl::unexpected<Refused>({v1::Refusal::UNAVAILABLE, "the service cannot sign now", 30});
  append_bytes(v1::AskReply::kHeadsFieldNumber, signed_head.SerializeAsString(), out);
  return out;
}

}  // namespace ksn_service
