#include "service.hpp"

#include <algorithm>

#include "ksn/limits.hpp"
#include "trust/metadata.hpp"

namespace ksn_service {
namespace {

using picket::Code;
using picket::cat;

constexpr std::size_t kMostWishes = 10, kMostCounters = 256, kMostCounterName = 64;

tl::unexpected<Refused> no(v1::Refusal::Why why, std::string text, std::uint32_t retry_after = 0) { return tl::unexpected<Refused>({why, std::move(text), retry_after}); }

bool parse(google::protobuf::MessageLite& message, std::string_view body) { return body.size() <= 16u << 20 && message.ParseFromArray(body.data(), static_cast<int>(body.size())); }

bool is_counter_name(std::string_view name) {
  return !name.empty() && name.size() <= kMostCounterName &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.-") == name.npos;
}

}  // namespace

Service::Service(ServiceSettings settings, Signer signer, Keeper::Tell tell, std::function<std::int64_t()> now)
    : settings_(std::move(settings)), now_(std::move(now)), keeper_(settings_.store, std::move(tell)),
      by_installation_(settings_.installation_per_minute, settings_.burst), by_address_(settings_.address_per_minute, std::max(settings_.burst, settings_.address_per_minute / 6)), samples_(settings_.samples), signer_(std::make_shared<const Signer>(std::move(signer))) {}

void Service::sign_with(Signer signer) {
  auto next = std::make_shared<const Signer>(std::move(signer));
  const std::lock_guard lock(mutex_);
  signer_ = std::move(next);
}

void Service::try_store() {
  const auto store = keeper_.get();
  if (!store) return;
  const auto found = (*store)->licence("-");
  if (!found) return keeper_.failed(found.error());
  answered_ = true;
  keeper_.worked();
}

bool Service::may_wait(std::string_view path) const {
  return path == "/ksn/v1/statistics" || path == "/ksn/v1/content" || ((path == "/ksn/v1/ask" || path == "/ksn/v1/hello") && settings_.store.starts_with("redis:"));
}

Response Service::handle(std::string_view path, std::string_view body, std::string_view peer) {
  counters_.requests.fetch_add(1, std::memory_order_relaxed);
  if (path == "/ksn/v1/ask") return ask(body, peer);
  if (path == "/ksn/v1/hello") return hello(body, peer);
  if (path == "/ksn/v1/statistics") return statistics(body, peer);
  if (path == "/ksn/v1/content") return content(body, peer);
  return refuse({v1::Refusal::UNKNOWN_REQUEST, "this KSN does not know that request", 0});
}

Response Service::refuse(const Refused& refused) {
  switch (refused.why) {
    case v1::Refusal::LICENCE_UNKNOWN:
    case v1::Refusal::LICENCE_BLOCKED:
    case v1::Refusal::LICENCE_EXPIRED: ++counters_.refused_licence; break;
    case v1::Refusal::TOO_MANY: ++counters_.refused_limit; break;
    case v1::Refusal::MALFORMED: ++counters_.refused_malformed; break;
    case v1::Refusal::UNAVAILABLE: ++counters_.refused_unavailable; break;
    default: ++counters_.refused_other; break;
  }
  return to_response(refused);
}

tl::expected<std::shared_ptr<picket::ksn_store::Store>, Refused> Service::admit(const v1::Asker& asker, std::string_view peer, std::uint64_t count) {
  for (const auto* text : {&asker.licence(), &asker.product(), &asker.version()})
    if (text->size() > picket::ksn::kMostTextBytes) return no(v1::Refusal::MALFORMED, "the asker says more than 256 bytes of itself");
  if (!asker.installation().empty() && asker.installation().size() != 16) return no(v1::Refusal::MALFORMED, "an installation id that is not 16 bytes");

  const auto now = Limiter::Clock::now();
  bool is_proxy = false;
  if (!settings_.proxies.empty())
    if (const auto address = picket::Address::parse(peer))
      for (const auto& range : settings_.proxies) is_proxy = is_proxy || range.contains(*address);
  std::uint32_t wait = 0;
  // The one that is its own first: who asks too much does not use up what others behind the same address may ask.
  if (!is_proxy && !asker.installation().empty()) wait = by_installation_.take(asker.installation(), count, now);
  if (wait == 0 && !is_proxy) wait = by_address_.take(peer, count, now);
  if (wait != 0) return no(v1::Refusal::TOO_MANY, cat("too many questions: again in ", std::to_string(wait), " s"), wait);

  auto store = keeper_.get();
  if (!store) return no(v1::Refusal::UNAVAILABLE, "the service cannot reach its store now", 30);
  if (!settings_.licences_required) return *store;
  if (asker.licence().empty()) return no(v1::Refusal::LICENCE_UNKNOWN, "this KSN needs a licence, and none was given");
  const auto licence = (*store)->licence(asker.licence());
  if (!licence) {
    keeper_.failed(licence.error());
    return no(v1::Refusal::UNAVAILABLE, "the service cannot reach its store now", 30);
  }
  if (!*licence) return no(v1::Refusal::LICENCE_UNKNOWN, "the licence is not known to this KSN: give the new key to the provider");
  if ((*licence)->blocked) return no(v1::Refusal::LICENCE_BLOCKED, "the licence is blocked");
  if ((*licence)->expires != 0 && (*licence)->expires <= now_()) return no(v1::Refusal::LICENCE_EXPIRED, cat("the licence ended at ", picket::trust::format_time((*licence)->expires)));
  return *store;
}

Response Service::ask(std::string_view body, std::string_view peer) {
  if (body.size() > picket::ksn::kMostRequestBytes) return refuse({v1::Refusal::TOO_LARGE, "a request of more than 64 KiB", 0});
  v1::AskRequest request;
  if (!parse(request, body)) return refuse({v1::Refusal::MALFORMED, "no AskRequest", 0});
  const auto count = Asking::count(request);
  if (!count) return refuse(count.error());
  const auto store = admit(request.asker(), peer, *count);
  if (!store) return refuse(store.error());

  std::unique_ptr<Asking> asking;
  std::shared_ptr<const Signer> signer;
  {
    const std::lock_guard lock(mutex_);
    signer = signer_;
    if (!idle_.empty()) asking = std::move(idle_.back()), idle_.pop_back();
  }
  if (!asking) asking = std::make_unique<Asking>(settings_);
  AskCounts counts;
  std::vector<std::string_view> unknown;
  auto reply = asking->answer(request, **store, *signer, now_(), counts, unknown);
  if (!reply && !asking->last_error().message.empty()) {
    keeper_.failed(asking->last_error());
  } else {
    answered_ = true;
    keeper_.worked();
  }
  {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(asking));
  }
  if (!reply) return refuse(reply.error());
  counters_.digests += counts.digests;
  counters_.known += counts.known;
  counters_.prefixes += counts.prefixes;
  if (request.asker().extended() && samples_.wishes() && !unknown.empty()) {
    v1::AskReply wishes;
    for (const auto digest : unknown) {
      if (static_cast<std::size_t>(wishes.wishes_size()) == kMostWishes) break;
      if (v1::Wish wish; samples_.wants(digest, wish)) *wishes.add_wishes() = std::move(wish);
    }
    counters_.wishes += static_cast<std::uint64_t>(wishes.wishes_size());
    wishes.AppendToString(&*reply);  // messages may be joined
  }
  return {200, std::move(*reply)};
}

Response Service::hello(std::string_view body, std::string_view peer) {
  v1::HelloRequest request;
  if (body.size() > picket::ksn::kMostRequestBytes || !parse(request, body)) return refuse({v1::Refusal::MALFORMED, "no HelloRequest", 0});
  // Who is greeted would be answered: devices take their status from this.
  if (const auto store = admit(request.asker(), peer, 1); !store) return refuse(store.error());
  v1::HelloReply reply;
  reply.set_ksn(settings_.name);
  reply.set_private_ksn(settings_.private_ksn);
  reply.set_version(PICKET_VERSION);
  reply.set_now(now_());
  return {200, reply.SerializeAsString()};
}

Response Service::statistics(std::string_view body, std::string_view peer) {
  if (body.size() > picket::ksn::kMostStatisticsBytes) return refuse({v1::Refusal::TOO_LARGE, "statistics of more than 64 KiB", 0});
  v1::StatisticsRequest request;
  if (!parse(request, body)) return refuse({v1::Refusal::MALFORMED, "no StatisticsRequest", 0});
  if (!request.asker().extended()) return refuse({v1::Refusal::MALFORMED, "statistics of who is not in extended mode", 0});
  if (request.id().size() != 16) return refuse({v1::Refusal::MALFORMED, "an id that is not 16 bytes", 0});
  if (static_cast<std::size_t>(request.counters_size()) > kMostCounters) return refuse({v1::Refusal::TOO_LARGE, "more than 256 counters", 0});
  picket::ksn_store::Counted counted;
  counted.id = request.id();
  counted.day = picket::trust::format_time(now_()).substr(0, 10);
  for (const auto& [name, number] : request.counters()) {
    if (!is_counter_name(name)) return refuse({v1::Refusal::MALFORMED, "a counter's name is at most 64 of a-z 0-9 _ . -", 0});
    // A newer client's other counters are no reason to refuse it, and none to keep names that anybody makes up.
    if (std::ranges::find(picket::ksn::kCounters, name) != picket::ksn::kCounters.end()) counted.counters.emplace_back(name, number);
  }
  const auto store = admit(request.asker(), peer, 1);
  if (!store) return refuse(store.error());
  if (!settings_.statistics) return refuse({v1::Refusal::NOT_TAKEN, "this KSN takes no statistics", 0});
  if (counted.counters.empty()) return {200, v1::Accepted().SerializeAsString()};
  if (const auto taken = (*store)->count(counted); !taken) {
    keeper_.failed(taken.error());
    return refuse({v1::Refusal::UNAVAILABLE, "the service cannot reach its store now", 30});
  } else if (*taken) {
    ++counters_.statistics;
  }
  return {200, v1::Accepted().SerializeAsString()};
}

Response Service::content(std::string_view body, std::string_view peer) {
  if (body.size() > picket::ksn::kMostPartBytes + 1024) return refuse({v1::Refusal::TOO_LARGE, "a part of more than 1 MiB", 0});
  v1::ContentRequest request;
  if (!parse(request, body)) return refuse({v1::Refusal::MALFORMED, "no ContentRequest", 0});
  if (!request.asker().extended()) return refuse({v1::Refusal::MALFORMED, "content of who is not in extended mode", 0});
  if (request.digest().size() != picket::ksn::kDigestBytes) return refuse({v1::Refusal::MALFORMED, "the digest is not 32 bytes", 0});
  const auto store = admit(request.asker(), peer, 1);
  if (!store) return refuse(store.error());
  if (!samples_.wishes()) return refuse({v1::Refusal::NOT_TAKEN, "this KSN takes no samples", 0});
  // What is known needs no sample.
  picket::ksn_store::Batch known;
  if (auto looked = (*store)->look_up(v1::OBJECT_FILE, request.digest(), known); !looked) {
    keeper_.failed(looked.error());
    return refuse({v1::Refusal::UNAVAILABLE, "the service cannot reach its store now", 30});
  }
  if (known.of[0].size != 0) return refuse({v1::Refusal::NOT_TAKEN, "this file is known already", 0});
  auto out = samples_.take(request);
  ++counters_.content_parts;
  if (out.status == 200) {
    v1::ContentReply reply;
    if (reply.ParseFromString(out.body) && reply.complete() && !request.part().empty()) ++counters_.samples;
  }
  return out;
}

std::map<std::string, std::uint64_t> Service::counters() const {
  return {{"requests", counters_.requests}, {"digests", counters_.digests}, {"known", counters_.known}, {"prefixes", counters_.prefixes}, {"refused_licence", counters_.refused_licence},
          {"refused_limit", counters_.refused_limit}, {"refused_malformed", counters_.refused_malformed}, {"refused_unavailable", counters_.refused_unavailable}, {"refused_other", counters_.refused_other},
          {"statistics", counters_.statistics}, {"content_parts", counters_.content_parts}, {"samples", counters_.samples}, {"wishes", counters_.wishes}};
}

}  // namespace ksn_service
