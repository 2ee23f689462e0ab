#include "broker.hpp"

#include <algorithm>
#include <utility>

#include "broker_waiting.hpp"
#include "ksn/limits.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace ksn_proxy {

using picket::Code;
using picket::cat;
namespace ksn = picket::ksn;
namespace v1 = picket::ksn::v1;

namespace {

constexpr std::chrono::seconds kTryNewAgain{10};

std::vector<std::string> wires_of(const ksn::Verifier& verifier) {
  std::vector<std::string> out;
  for (const auto& signer : verifier.signers()) out.push_back(signer_wire(signer.SerializeAsString()));
  return out;
}

}  // namespace

Broker::Broker(const BrokerSettings& settings, Parts parts)
    : settings_(settings), parts_(std::move(parts)), answers_(parts_.answers ? parts_.answers : std::make_shared<Answers>(settings.cache_bytes)), hasher_(answers_->hasher),
      signers_(wires_of(parts_.verifier)), cache_(answers_->cache), licences_(settings.most_licences),
      pending_(64, QuestionHash{&hasher_}), newcomers_(settings.new_licences_at_once) {
  const auto now = Clock::now();
  for (auto& [id, standing] : std::exchange(parts_.standings, {}))
    if (auto* licence = licences_.get(id, now); licence != nullptr) static_cast<Standing&>(*licence) = std::move(standing);
  thread_ = std::thread([this] { run(); });
}

void Broker::stop() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    wakes_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

Broker::~Broker() {
  stop();
  Out out;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& waiting : waiting_) give_up(*waiting, 503, ksn_server::refusal(v1::Refusal::UNAVAILABLE, "the proxy ends", 1), out);
    waiting_.clear();
    pending_.clear();
  }
  send(out);
}

void Broker::send(Out& out) {
  for (auto& one : out) std::move(one.reply).send(one.status, std::move(one.body));
  out.clear();
}

// ---- asking

bool Broker::is_refused(const Licence& licence, Clock::time_point now, int& status, std::string& body) {
  if (licence.refused_until <= now) return false;
  status = licence.refused_status;
  body = licence.refusal;
  return true;
}

bool Broker::may_be_new(Licence& licence, std::string_view peer, Clock::time_point now) {
  if (licence.is_known() || licence.is_busy()) return true;
  const std::chrono::duration<double> passed = now - newcomers_at_;
  newcomers_at_ = now;
  newcomers_ = std::min(settings_.new_licences_at_once, newcomers_ + passed.count() * settings_.new_licences_per_second);
  if (now - counted_since_ >= kTryNewAgain) {
    newcomers_of_.clear();
    counted_since_ = now;
  }
  const auto own = newcomers_of_.find(peer);
  if (newcomers_ < 1 || (own != newcomers_of_.end() && own->second >= settings_.new_licences_per_address)) return false;
  newcomers_ -= 1;
  if (!peer.empty()) ++newcomers_of_[std::string(peer)];
  return true;
}

bool Broker::may_not_ask(Licence* licence, std::string_view peer, Clock::time_point now, int& status, std::string& body) {
  if (licence != nullptr && is_refused(*licence, now, status, body)) {
    ++counters_.refused;
    return true;
  }
  if (licence != nullptr && may_be_new(*licence, peer, now)) return false;
  ++counters_.overloaded;
  status = 429;
  body = ksn_server::refusal(v1::Refusal::TOO_MANY, "too many licences that are not known yet are in use at once", static_cast<std::uint32_t>(kTryNewAgain.count()));
  return true;
}

void Broker::accept(Licence& licence, Clock::time_point now) {
  licence.accepted_at = now;
  licence.accepted_until = now + settings_.licence_lasts;
  licence.refused_until = {};
  heard_at_ = now;
}

void Broker::ask(std::string_view body, ksn_server::Reply reply, std::string_view peer) {
  Ask ask;
  const auto parsed = parse_ask(body, ask);
  std::vector<std::uint64_t> hashes(ask.keys.size());
  for (std::size_t i = 0; i < hashes.size(); ++i) hashes[i] = hasher_(ask.keys[i]);
  const auto unix_now = parts_.now();
  const auto now = Clock::now();

  std::unique_lock lock(mutex_);
  ++counters_.requests;
  if (!parsed) {
    ++counters_.malformed;
    lock.unlock();
    const auto why = parsed.error().code == Code::too_large ? v1::Refusal::TOO_LARGE : v1::Refusal::MALFORMED;
    return std::move(reply).send(ksn_server::http_status(why), ksn_server::refusal(why, parsed.error().message));
  }
  counters_.digests += ask.keys.size();
  auto* licence = licences_.get(ask.licence, now);
  int status = 0;
  std::string answer;
  if (may_not_ask(licence, peer, now, status, answer)) {
    lock.unlock();
    return std::move(reply).send(status, std::move(answer));
  }

  const auto found = cache_.find(ask.keys, hashes, unix_now);
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i] == nullptr) missing.push_back(i);
  counters_.from_cache += found.size() - missing.size();
  if (missing.empty() && (licence->accepted_until > now || found.empty())) {
    answer = write_reply(found, ask.extended, status);
    lock.unlock();
    return std::move(reply).send(status, std::move(answer));
  }

  Out out;
  std::vector<EntryRef> slots;
  slots.reserve(found.size());
  for (auto* entry : found) slots.emplace_back(entry);
  const auto waiting = std::make_shared<Waiting>();
  if (waiting_count_ >= settings_.most_waiting || pending_.size() + missing.size() > settings_.most_pending) {
    ++counters_.overloaded;
    slots.clear();
    lock.unlock();
    return std::move(reply).send(429, ksn_server::refusal(v1::Refusal::TOO_MANY, "the proxy waits for too many answers", 1));
  }
  waiting->reply = std::move(reply);
  waiting->slots = std::move(slots);
  waiting->deadline = now + settings_.deadline;
  waiting->extended = ask.extended;
  wait_for_answers(*licence, waiting, ask.keys, missing, now);
  send_batches(lock);
}

void Broker::wait_for_answers(Licence& licence, const std::shared_ptr<Waiting>& waiting, const std::vector<Key>& keys, const std::vector<std::size_t>& missing,
                              Clock::time_point now) {
  const auto enqueue = [&](const Key& key, std::size_t slot) {
    auto& pending = pending_[{&licence, key}];
    if (pending) {
      ++counters_.merged;
    } else {
      pending = std::make_unique<Pending>();
      licence.unsent.push_back(key);
      licence.last_question = key;
    }
    pending->waiters.emplace_back(waiting, slot);
    ++waiting->missing;
  };
  for (const auto i : missing) enqueue(keys[i], i);
  // All is known, but not whether this licence may know it: what is asked of the KSN for it tells, and else the first question is asked again.
  if (missing.empty()) {
    const auto asked = pending_.find({&licence, licence.last_question});
    enqueue(asked != pending_.end() ? licence.last_question : keys.front(), Pending::kNoSlot);
  }
  licence.extended = licence.extended || waiting->extended;
  ++waiting_count_;
  const bool wakes = waiting_.empty();
  waiting_.push_back(waiting);
  if (licence.unsent.size() >= ksn::kMostQuestions) flush(licence);
  if (!licence.unsent.empty() && !licence.is_due) {
    licence.is_due = true;
    licence.flush_at = now + settings_.gather;
    due_.push_back(&licence);
    wakes_.notify_one();
  } else if (wakes) {
    wakes_.notify_one();
  }
}

template <class List>
std::string Broker::write_reply(const List& entries, bool extended, int& status) {
  std::size_t bytes = 4096;
  const auto get = [](const auto& one) -> Entry* {
    if constexpr (std::is_pointer_v<std::decay_t<decltype(one)>>) return one;
    else return one.get();
  };
  for (const auto& one : entries) bytes += get(one)->size;
  ReplyWriter writer(signers_);
  writer.reserve(std::min(bytes, ksn::kMostReplyBytes));
  status = 200;
  for (const auto& one : entries) {
    writer.add(*get(one));
    if (writer.size() <= ksn::kMostReplyBytes) continue;
    status = 413;
    return ksn_server::refusal(v1::Refusal::TOO_LARGE, "the answers to so many prefixes do not fit into one reply: ask for fewer at once");
  }
  auto out = writer.take();
  if (!extended || wishes_.empty()) return out;
  const auto now = Clock::now();
  std::size_t wishes = 0;
  for (const auto& one : entries)
    if (const auto wish = wishes_.of(get(one)->key, now); !wish.empty() && wishes++ < Wishes::kMostInReply) out += wish;
  return out;
}

void Broker::resolve(Pending& pending, Entry& entry, Out& out) {
  for (auto& [waiting, slot] : pending.waiters) {
    if (waiting->done) continue;
    if (slot != Pending::kNoSlot) waiting->slots[slot] = EntryRef(&entry);
    if (--waiting->missing != 0) continue;
    int status = 0;
    auto body = write_reply(waiting->slots, waiting->extended, status);
    out.push_back({std::move(waiting->reply), status, std::move(body)});
    waiting->done = true;
    waiting->slots.clear();
    --waiting_count_;
  }
}

void Broker::give_up(Waiting& waiting, int status, const std::string& body, Out& out) {
  if (waiting.done) return;
  out.push_back({std::move(waiting.reply), status, body});
  waiting.done = true;
  waiting.slots.clear();
  --waiting_count_;
}

Standings Broker::standings() const {
  const std::lock_guard lock(mutex_);
  return licences_.standings();
}

BrokerCounters Broker::counters() const {
  const std::lock_guard lock(mutex_);
  auto out = counters_;
  out.waiting = waiting_count_;
  out.pending = pending_.size();
  out.licences = licences_.size();
  out.cache = cache_.counters();
  return out;
}

}  // namespace ksn_proxy
