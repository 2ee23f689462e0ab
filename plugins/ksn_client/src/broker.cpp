#include "broker.hpp"

#include <algorithm>

namespace ksn_client {
namespace {

constexpr std::size_t kMostWaitingQuestions = 100'000;
constexpr unsigned kMostBatches = 8;
constexpr std::chrono::milliseconds kMargin(15);  // for the way back to who asked

// Fields in the order of their numbers, each once: what readers of a kept answer may rely on.
template <class Message>
std::string in_our_words(std::string_view said) {
  Message message;
  return message.ParseFromArray(said.data(), static_cast<int>(said.size())) ? message.SerializeAsString() : std::string();
}

// In a message: one group for each kind and length, and no order that tells which was asked first.
bool goes_before(const Key& a, const Key& b) { return a.kind != b.kind ? a.kind < b.kind : a.length != b.length ? a.length < b.length : a.digest < b.digest; }

}  // namespace

struct Broker::Pending {
  std::vector<Answered> answers;
  std::size_t open = 0;
  Done done;
};
struct Broker::Flight {
  std::vector<std::pair<std::shared_ptr<Pending>, std::size_t>> who;
  Clock::time_point deadline{};  // the latest of theirs
};
struct Broker::Batch {
  std::vector<Key> keys;
  std::shared_ptr<const Trust> trust;
  std::shared_ptr<Cache> cache;
  std::uint64_t generation = 0;
  std::vector<Answered> answers;  // once taken
};

Broker::Broker(Parts parts) : parts_(std::move(parts)) {
  thread_ = std::thread([this] { run(); });
}

Broker::~Broker() { stop(); }

void Broker::stop() {
  clear("the KSN client is stopping");
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Broker::use(std::shared_ptr<const Trust> trust, std::shared_ptr<Cache> cache, std::chrono::milliseconds batch, std::chrono::milliseconds timeout) {
  const std::lock_guard lock(mutex_);
  trust_ = std::move(trust);
  cache_ = std::move(cache);
  batch_ = batch;
  timeout_ = timeout;
  changed_.notify_all();
}

void Broker::ask(std::vector<Key> keys, std::chrono::milliseconds deadline, Done done, std::uint64_t settled) {
  auto pending = std::make_shared<Pending>();
  pending->answers.resize(keys.size());
  pending->open = keys.size();
  pending->done = std::move(done);
  Finished finished;
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    const auto until = now + std::max(std::min(deadline, timeout_ * 4) - kMargin, std::chrono::milliseconds(1));
    std::string why;
    if (stopping_) why = "the KSN client is stopping";
    else if (!trust_) why = "no provider of KSN is known";
    else if (flights_.size() + keys.size() > kMostWaitingQuestions) why = "too many questions wait already";
    else why = parts_.shut();
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!why.empty()) {
        pending->answers[i].why = why;
        continue;
      }
      if (cache_ && settled != settled_ && !flights_.contains(keys[i])) {
        auto& answer = pending->answers[i];
        if (cache_->find(keys[i], parts_.now(), [&](std::string_view value) { answer.value = std::make_shared<const std::string>(value); })) {
          answer.from = v1::Checked::CACHE;
          --pending->open;
          continue;
        }
      }
      auto& flight = flights_[keys[i]];
      if (!flight) {
        flight = std::make_shared<Flight>();
        queue_.push_back(keys[i]);
        ++counters_.asked;
      } else {
        ++counters_.merged;
      }
      flight->deadline = std::max(flight->deadline, until);
      flight->who.emplace_back(pending, i);
    }
    if (!why.empty()) {
      counters_.unanswered += keys.size();
      pending->open = 0;
    }
    if (pending->open == 0) {
      finished.push_back(pending);
    } else {
      deadlines_.emplace(until, pending);
      if (flush_at_ == Clock::time_point::max()) flush_at_ = now + batch_;
      if (queue_.size() >= picket::ksn::kMostQuestions) flush_at_ = now;
    }
  }
  changed_.notify_all();
  tell(finished);
}

void Broker::tell(const Finished& finished) {
  for (const auto& pending : finished)
    if (const auto done = std::exchange(pending->done, nullptr)) done(std::move(pending->answers));
}

// Under the lock.
void Broker::settle(const Key& key, const Answered& answer, Finished& finished) {
  const auto found = flights_.find(key);
  if (found == flights_.end()) return;
  for (const auto& [pending, index] : found->second->who) {
    if (pending->open == 0) continue;  // its deadline has passed
    pending->answers[index] = answer;
    answer.from == v1::Checked::NOBODY ? ++counters_.unanswered : ++counters_.answered;
    if (--pending->open == 0) finished.push_back(pending);
  }
  flights_.erase(found);
}

v1::AskRequest Broker::request_of(const std::vector<Key>& keys) {
  v1::AskRequest request;
  v1::Questions* group = nullptr;
  for (const auto& key : keys) {
    if (group == nullptr || group->kind() != static_cast<v1::ObjectKind>(key.kind) || group->length() != key.length) {
      group = request.add_questions();
      group->set_kind(static_cast<v1::ObjectKind>(key.kind));
      group->set_length(key.length);
    }
    group->mutable_digests()->append(key.asked());
  }
  return request;
}

v1::AskRequest Broker::waiting() const {
  const std::lock_guard lock(mutex_);
  std::vector<Key> keys(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(queue_.size(), picket::ksn::kMostQuestions)));
  std::sort(keys.begin(), keys.end(), goes_before);
  return request_of(keys);
}

// While the provider changes nobody could tell whose answers count.
bool Broker::may_send() const { return under_way_ < kMostBatches && trust_; }

void Broker::send(std::unique_lock<std::mutex>& lock) {
  auto batch = std::make_shared<Batch>();
  const auto now = Clock::now();
  while (!queue_.empty() && batch->keys.size() < picket::ksn::kMostQuestions) {
    const auto found = flights_.find(queue_.front());
    if (found != flights_.end() && found->second->deadline > now) {
      batch->keys.push_back(queue_.front());
    } else if (found != flights_.end()) {
      flights_.erase(found);  // nobody waits any more
    }
    queue_.pop_front();
  }
  flush_at_ = queue_.empty() ? Clock::time_point::max() : now;
  if (batch->keys.empty()) return;
  std::sort(batch->keys.begin(), batch->keys.end(), goes_before);
  batch->trust = trust_;
  batch->cache = cache_;
  batch->generation = generation_;
  // Who asks may be less patient than we are with KSN: its deadline is kept here, the answer still comes into the cache, and only who does not
  // answer us by our own limit has failed.
  const auto deadline = timeout_;
  ++under_way_;
  ++counters_.batches;
  auto request = request_of(batch->keys);
  lock.unlock();
  parts_.post(std::move(request), deadline, [this, batch](const ksn_channel::Answer& answer, const Way& way) { return take(*batch, answer, way); },
              [this, batch](Result<> result) { ended(batch, std::move(result)); });
  lock.lock();
}

Result<> Broker::take(Batch& batch, const ksn_channel::Answer& answer, const Way& way) {
  v1::AskReply reply;
  if (!reply.ParseFromString(answer.body)) return fail(Code::invalid, "its answer is malformed");
  const auto now = parts_.now();
  std::vector<picket::ksn::Question> questions;
  for (const auto& key : batch.keys) questions.push_back({key.kind, key.asked()});
  PICKET_LET(proven, batch.trust->verify(reply, questions, now));
  std::vector<std::string> values(proven.size());
  for (std::size_t i = 0; i < proven.size(); ++i) {
    const auto said = proven[i].said;
    values[i] = batch.keys[i].is_prefix() ? in_our_words<v1::UnderPrefix>(said) : in_our_words<v1::Facts>(said);
  }
  // All is well: only now anything of it counts.
  auto& answers = batch.answers;
  answers.resize(values.size());
  {
    const std::lock_guard lock(mutex_);
    if (batch.generation != generation_) return fail(Code::cancelled, "cancelled");
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (batch.cache && proven[i].repeatable_until > now) batch.cache->put(batch.keys[i], values[i], proven[i].repeatable_until);
    answers[i].from = way.is_proxy ? v1::Checked::PROXY : v1::Checked::SERVER;
    answers[i].value = std::make_shared<const std::string>(std::move(values[i]));
  }
  if (parts_.answered) parts_.answered(reply);
  return {};
}

void Broker::ended(const std::shared_ptr<Batch>& batch, Result<> result) {
  Finished finished;
  {
    const std::lock_guard lock(mutex_);
    --under_way_;
    if (result) ++settled_;  // its answers are in the cache
    if (batch->generation == generation_) {
      const Answered nobody{v1::Checked::NOBODY, nullptr, result ? std::string() : result.error().message};
      for (std::size_t i = 0; i < batch->keys.size(); ++i) settle(batch->keys[i], result ? batch->answers[i] : nobody, finished);
    }
  }
  changed_.notify_all();
  tell(finished);
}

std::size_t Broker::clear(const std::string& why) {
  Finished finished;
  std::size_t cleared = 0;
  {
    const std::lock_guard lock(mutex_);
    ++generation_;
    cleared = flights_.size();
    queue_.clear();
    flush_at_ = Clock::time_point::max();
    const Answered nobody{v1::Checked::NOBODY, nullptr, why};
    while (!flights_.empty()) settle(Key(flights_.begin()->first), nobody, finished);
  }
  tell(finished);
  return cleared;
}

Broker::Counters Broker::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void Broker::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto now = Clock::now();
    Finished late;
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      if (const auto pending = deadlines_.begin()->second.lock(); pending && pending->open > 0) {
        for (auto& answer : pending->answers)
          if (answer.from == v1::Checked::NOBODY && answer.why.empty()) answer.why = "no answer before the deadline";
        counters_.unanswered += pending->open;
        pending->open = 0;
        late.push_back(pending);
      }
      deadlines_.erase(deadlines_.begin());
    }
    if (!late.empty()) {
      lock.unlock();
      tell(late);
      lock.lock();
      continue;
    }
    if (flush_at_ <= now && may_send()) {
      send(lock);
      continue;
    }
    auto until = deadlines_.empty() ? Clock::time_point::max() : deadlines_.begin()->first;
    if (may_send()) until = std::min(until, flush_at_);
    if (until == Clock::time_point::max()) changed_.wait(lock);
    else changed_.wait_until(lock, until);
  }
}

}  // namespace ksn_client
