// What the KSN behind the proxy answered: whether it may be repeated, and what those who wait are told when not.
#include <algorithm>

#include "base/bytes.hpp"
#include "broker.hpp"
#include "ksn/limits.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace ksn_proxy {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
namespace ksn = picket::ksn;
namespace v1 = picket::ksn::v1;

constexpr int kMostWishes = 64;  // of one answer of the KSN

// Without the lock: signatures take their time. What comes back must be let go under it.
Result<std::vector<EntryRef>> Broker::take(const Batch& batch, std::string_view body, NewWishes& wishes) {
  v1::AskReply reply;
  if (body.size() > ksn::kMostReplyBytes || !reply.ParseFromArray(body.data(), static_cast<int>(body.size()))) return fail(Code::invalid, "this is no AskReply");
  std::vector<ksn::Question> questions;
  questions.reserve(batch.keys.size());
  for (const auto& key : batch.keys) questions.push_back({key.kind, key.view()});
  PICKET_LET(proven, parts_.verifier.verify(reply, questions, parts_.now()));
  std::vector<EntryRef> out;
  out.reserve(proven.size());
  for (std::size_t i = 0; i < proven.size(); ++i) {
    const auto& answer = reply.answers(static_cast<int>(i));
    if (answer.seal().signature().empty()) return fail(Code::untrusted, cat("answer ", std::to_string(i), " has no seal of its own: it cannot be handed on"));
    const auto& key = batch.keys[i];
    out.push_back(make_entry(key, hasher_(key), proven[i].said, static_cast<std::uint8_t>(proven[i].signer), proven[i].issued, answer.seal().signature(), proven[i].repeatable_until));
  }
  // Only for what was asked. Nobody signs a wish: the device's own policy decides.
  for (int i = 0; batch.extended && i < std::min(reply.wishes_size(), kMostWishes); ++i) {
    const auto& wish = reply.wishes(i);
    const auto asked = std::find_if(batch.keys.begin(), batch.keys.end(), [&](const Key& key) { return Wishes::is_of_file(key) && key.view() == wish.digest(); });
    if (asked == batch.keys.end() || wish.type().size() > ksn::kMostTextBytes) continue;
    // What else stands in it would fill this memory and the devices' replies.
    v1::AskReply alone;
    auto& known = *alone.add_wishes();
    known.set_digest(wish.digest());
    known.set_type(wish.type());
    known.set_first(wish.first());
    known.set_bytes(wish.bytes());
    wishes.emplace_back(*asked, alone.SerializeAsString());
  }
  return out;
}

// What those who wait are told, and what is remembered of the licence.
std::string Broker::failure_of(Licence& licence, const Result<Posted>& posted, std::string_view lie, Clock::time_point now, int& status) {
  const auto away = [&](std::string_view why) { return ksn_server::refusal(v1::Refusal::UNAVAILABLE, why, std::max(1u, parts_.upstream.rests_for())); };
  if (!lie.empty()) return away(cat("what the KSN behind the proxy answers cannot be handed on: ", lie));
  if (!posted) return away(cat("the KSN behind the proxy cannot be reached: ", posted.error().message));
  v1::Refusal refusal;
  if (posted->body.size() > 4096 || !refusal.ParseFromString(posted->body)) return away(cat("the KSN behind the proxy answers with HTTP status ", std::to_string(posted->status)));
  switch (refusal.why()) {
    case v1::Refusal::LICENCE_UNKNOWN:
    case v1::Refusal::LICENCE_BLOCKED:
    case v1::Refusal::LICENCE_EXPIRED: {
      const auto lasts = refusal.retry_after_seconds() != 0 ? std::chrono::seconds(std::min(refusal.retry_after_seconds(), picket::ksn::kLongestRestSeconds)) : settings_.refusal_lasts;
      licence.accepted_until = {};
      licence.refused_until = now + lasts;
      licence.refused_status = ksn_server::http_status(refusal.why());
      licence.refusal = posted->body;
      ++counters_.refused;
      status = licence.refused_status;
      return posted->body;
    }
    case v1::Refusal::TOO_MANY:
    case v1::Refusal::UNAVAILABLE: status = ksn_server::http_status(refusal.why()); return posted->body;
    default: return away(cat("the KSN behind the proxy refuses: ", picket::whole_characters(refusal.text(), 160)));
  }
}

}  // namespace ksn_proxy
