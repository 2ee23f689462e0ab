// Greetings: what a device takes its status from. Said only for a licence that the KSN would answer, while the KSN is there.
#include "base/bytes.hpp"
#include "broker.hpp"
#include "ksn/limits.hpp"

namespace ksn_proxy {

using picket::Result;
using picket::cat;
namespace ksn = picket::ksn;
namespace v1 = picket::ksn::v1;

namespace {

std::string named(const v1::HelloReply& reply) { return cat("the ", reply.private_ksn() ? "private" : "global", " KSN '", picket::whole_characters(reply.ksn(), 100), "'"); }

}  // namespace

std::string Broker::why_not_kept(std::string_view id, int& status) {
  const std::lock_guard lock(mutex_);
  const auto* licence = licences_.find(id);
  if (licence != nullptr && licence->refused_until != Clock::time_point()) {
    status = licence->refused_status;
    return licence->refusal;
  }
  if (licence != nullptr && licence->is_known() && Clock::now() - licence->accepted_at < settings_.keeps_for) return {};
  status = 503;
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(settings_.keeps_for).count();
  return ksn_server::refusal(v1::Refusal::UNAVAILABLE, cat("nothing is kept here for a licence that the KSN did not accept in the last ", std::to_string(hours), " hours, or since the proxy started"), 60);
}

void Broker::greet(std::string_view id, const v1::HelloReply& ours, ksn_server::Reply reply, std::string_view peer) {
  const auto now = Clock::now();
  std::unique_lock lock(mutex_);
  auto* licence = licences_.get(id, now);
  int status = 0;
  std::string answer;
  if (may_not_ask(licence, peer, now, status, answer)) {
    lock.unlock();
    return std::move(reply).send(status, std::move(answer));
  }
  if (!licence->is_greeting) {
    const auto rests = parts_.upstream.rests_for();
    const bool works = rests == 0 && !lied_ && parts_.upstream.works() && heard_at_ != Clock::time_point() && now - heard_at_ < settings_.line_lasts;
    if (rests != 0 || (works && licence->accepted_until > now)) {
      lock.unlock();
      if (rests == 0) return std::move(reply).send(200, ours.SerializeAsString());
      return std::move(reply).send(503, ksn_server::refusal(v1::Refusal::UNAVAILABLE, cat("the KSN behind the proxy cannot be reached: ", parts_.upstream.describe()), rests));
    }
  }
  if (greeters_ >= settings_.most_waiting) {
    ++counters_.overloaded;
    lock.unlock();
    return std::move(reply).send(429, ksn_server::refusal(v1::Refusal::TOO_MANY, "the proxy waits for too many answers", 1));
  }
  ++greeters_;
  licence->greeters.push_back(std::move(reply));
  if (std::exchange(licence->is_greeting, true)) return;  // one greeting for all who wait
  ++counters_.upstream_requests;
  const bool proves = lied_;
  lock.unlock();
  post_greeting(*licence, ours, proves);  // stays where and as it is while it is busy
}

// Anybody can say hello. Who answered what the provider did not sign must answer a question again: about no file, but as all are that are handed on.
void Broker::post_greeting(Licence& licence, const v1::HelloReply& ours, bool proves) {
  if (!proves) {
    v1::HelloRequest hello;
    *hello.mutable_asker() = asker_of(licence);
    return parts_.upstream.post("/ksn/v1/hello", hello.SerializeAsString(), settings_.deadline, [this, &licence, ours](const Result<Posted>& posted) {
      v1::HelloReply theirs;
      const bool came = posted && posted->status == 200;
      const bool is_lie = came && (!theirs.ParseFromString(posted->body) || theirs.ksn() != ours.ksn() || theirs.private_ksn() != ours.private_ksn());
      on_greeted(licence, ours, posted, is_lie ? cat("the server greets as ", named(theirs), ", not as ", named(ours)) : "", false);
    });
  }
  const Batch nothing{&licence, {Key(v1::OBJECT_FILE, std::string(ksn::kDigestBytes, '\0'))}};
  parts_.upstream.post("/ksn/v1/ask", request_of(nothing), settings_.deadline, [this, &licence, ours, nothing](const Result<Posted>& posted) {
    NewWishes wishes;
    Result<> proven;
    if (posted && posted->status == 200) {
      if (auto taken = take(nothing, posted->body, wishes); !taken) proven = picket::fail(std::move(taken).error());
    }
    on_greeted(licence, ours, posted, proven ? "" : cat("an answer of the KSN was thrown away: ", proven.error().message), true);
  });
}

void Broker::on_greeted(Licence& licence, const v1::HelloReply& ours, const Result<Posted>& posted, const std::string& lie, bool proves) {
  const bool came = posted && posted->status == 200;
  if (!lie.empty()) {
    parts_.upstream.blame(*posted, lie);
    parts_.warn(lie);
  }
  const auto now = Clock::now();
  Out out;
  {
    std::unique_lock lock(mutex_);
    // It lied while it was greeted: those who wait are told when it has proven itself.
    if (came && lie.empty() && lied_ && !proves && !over_) {
      ++counters_.upstream_requests;
      lock.unlock();
      return post_greeting(licence, ours, true);
    }
    int status = 503;
    std::string body;
    if (came && lie.empty()) {
      accept(licence, now);
      lied_ = false;
      status = 200;
      body = ours.SerializeAsString();
    } else {
      ++counters_.upstream_failures;
      if (!lie.empty()) ++counters_.untrusted;
      body = failure_of(licence, posted, lie, now, status);
    }
    for (auto& reply : licence.greeters) out.push_back({std::move(reply), status, body});
    greeters_ -= licence.greeters.size();
    licence.greeters.clear();
    licence.is_greeting = false;
  }
  send(out);
}

}  // namespace ksn_proxy
