// Questions on their way to the KSN behind the proxy: gathered, sent in batches, and what comes back given to those who wait.
#include <algorithm>
#include <utility>

#include "broker.hpp"
#include "broker_waiting.hpp"
#include "ksn/limits.hpp"
#include "picket/ksn/v1/wire.pb.h"

namespace ksn_proxy {

using picket::Result;
using picket::cat;
namespace ksn = picket::ksn;
namespace v1 = picket::ksn::v1;

// A prefix's answer may list hundreds of objects: fewer of them go upstream together, so that the reply keeps within kMostReplyBytes.
constexpr std::size_t kPrefixWeight = 25;

void Broker::flush(Licence& licence) {
  std::size_t sent = 0;
  while (sent < licence.unsent.size() && in_flight_ < settings_.most_batches) {
    auto batch = std::make_shared<Batch>();
    batch->licence = &licence;
    batch->extended = licence.extended;
    std::size_t count = 0;
    for (std::size_t weight = 0; sent + count < licence.unsent.size(); ++count) {
      weight += licence.unsent[sent + count].length == ksn::kDigestBytes ? 1 : kPrefixWeight;
      if (weight > ksn::kMostQuestions && count > 0) break;
    }
    const auto from = licence.unsent.begin() + static_cast<std::ptrdiff_t>(sent);
    batch->keys.assign(from, from + static_cast<std::ptrdiff_t>(count));
    std::stable_sort(batch->keys.begin(), batch->keys.end(), [](const Key& a, const Key& b) { return a.kind != b.kind ? a.kind < b.kind : a.length < b.length; });
    sent += count;
    ++in_flight_;
    ++licence.in_flight;
    ++counters_.upstream_requests;
    counters_.upstream_questions += count;
    ready_.push_back(std::move(batch));
  }
  licence.unsent.erase(licence.unsent.begin(), licence.unsent.begin() + static_cast<std::ptrdiff_t>(sent));
  if (licence.unsent.empty()) licence.extended = false;
}

v1::Asker Broker::asker_of(const Licence& licence) const {
  v1::Asker out;
  out.set_licence(licence.id);
  out.set_installation(parts_.installation);
  out.set_product("picket");
  out.set_version(parts_.version);
  return out;
}

std::string Broker::request_of(const Batch& batch) const {
  v1::AskRequest request;
  *request.mutable_asker() = asker_of(*batch.licence);
  request.mutable_asker()->set_extended(batch.extended);
  request.set_each_sealed(true);
  v1::Questions* questions = nullptr;
  for (const auto& key : batch.keys) {
    if (questions == nullptr || questions->kind() != static_cast<int>(key.kind) || questions->length() != key.length) {
      questions = request.add_questions();
      questions->set_kind(static_cast<v1::ObjectKind>(key.kind));
      questions->set_length(key.length);
    }
    questions->mutable_digests()->append(key.view());
  }
  return request.SerializeAsString();
}

void Broker::send_batches(std::unique_lock<std::mutex>& lock) {
  while (!ready_.empty()) {
    const auto batch = std::move(ready_.back());
    ready_.pop_back();
    lock.unlock();
    parts_.upstream.post("/ksn/v1/ask", request_of(*batch), settings_.deadline, [this, batch](Result<Posted> posted) { on_posted(batch, std::move(posted)); });
    lock.lock();
  }
}

void Broker::on_posted(const std::shared_ptr<Batch>& batch, Result<Posted> posted) {
  Result<std::vector<EntryRef>> taken = std::vector<EntryRef>();
  const bool came = posted && posted->status == 200;
  NewWishes wishes;
  if (came) taken = take(*batch, posted->body, wishes);
  const auto now = Clock::now();
  if (!taken) {
    const auto why = cat("an answer of the KSN was thrown away: ", taken.error().message);
    parts_.upstream.blame(*posted, why);
    parts_.warn(why);
  }

  Out out;
  std::unique_lock lock(mutex_);
  --in_flight_;
  --batch->licence->in_flight;
  if (came && taken) {
    accept(*batch->licence, now);
    lied_ = false;
    const auto unix_now = parts_.now();
    for (auto& [key, wire] : wishes) wishes_.add(key, std::move(wire), now);
    for (std::size_t i = 0; i < batch->keys.size(); ++i) {
      auto* entry = (*taken)[i].get();
      cache_.insert(entry, unix_now);
      const auto found = pending_.find({batch->licence, batch->keys[i]});
      if (found == pending_.end()) continue;
      resolve(*found->second, *entry, out);
      pending_.erase(found);
    }
  } else {
    ++counters_.upstream_failures;
    if (came) ++counters_.untrusted, lied_ = true;
    int status = 503;
    auto& licence = *batch->licence;
    const auto body = failure_of(licence, posted, taken ? std::string() : taken.error().message, now, status);
    const auto give_up_all = [&](const std::vector<Key>& keys) {
      for (const auto& key : keys) {
        const auto found = pending_.find({&licence, key});
        if (found == pending_.end()) continue;
        for (auto& [waiting, slot] : found->second->waiters) give_up(*waiting, status, body, out);
        pending_.erase(found);
      }
    };
    give_up_all(batch->keys);
    // A refused licence's other questions would be refused, too: nobody is to pay for them.
    if (licence.refused_until > now) {
      give_up_all(std::exchange(licence.unsent, {}));
      licence.extended = false;
    }
  }
  taken = std::vector<EntryRef>();
  // The place that has become free.
  if (!over_)
    for (auto* licence : due_)
      if (licence->flush_at <= now) flush(*licence);
  wakes_.notify_one();
  send_batches(lock);
  lock.unlock();
  send(out);
}

// ---- the thread

void Broker::run() {
  Out out;
  std::unique_lock lock(mutex_);
  while (!over_) {
    const auto now = Clock::now();
    auto next = Clock::time_point::max();
    for (auto it = due_.begin(); it != due_.end();) {
      auto& licence = **it;
      if (licence.flush_at <= now) flush(licence);
      if (licence.unsent.empty()) {
        licence.is_due = false;
        it = due_.erase(it);
        continue;
      }
      // With no place left on the line, the next answer that comes wakes us.
      if (in_flight_ < settings_.most_batches) next = std::min(next, licence.flush_at);
      ++it;
    }
    while (!waiting_.empty() && (waiting_.front()->done || waiting_.front()->deadline <= now)) {
      if (!waiting_.front()->done) ++counters_.overdue;
      give_up(*waiting_.front(), 503, ksn_server::refusal(v1::Refusal::UNAVAILABLE, "the KSN behind the proxy did not answer in time", 1), out);
      waiting_.pop_front();
    }
    if (!waiting_.empty()) next = std::min(next, waiting_.front()->deadline);
    if (!ready_.empty() || !out.empty()) {
      send_batches(lock);
      lock.unlock();
      send(out);
      lock.lock();
      continue;
    }
    if (next == Clock::time_point::max()) wakes_.wait(lock);
    else wakes_.wait_until(lock, next);
  }
}

}  // namespace ksn_proxy
