// Questions on their way to KSN: equal ones are asked once, those of a few milliseconds go together, each asker has its deadline.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "cache.hpp"
#include "ksn/answers.hpp"
#include "line.hpp"
#include "picket/ksn/v1/check.pb.h"

namespace ksn_client {

// Whose answers count; made anew when the provider changes.
using Trust = picket::ksn::Verifier;

// Of one key.
struct Answered {
  v1::Checked::From from = v1::Checked::NOBODY;
  std::shared_ptr<const std::string> value;  // of a full digest: Facts; of a prefix: UnderPrefix; as on the wire
  std::string why;                           // NOBODY
};

class Broker {
 public:
  struct Parts {
    std::function<std::int64_t()> now;                                          // Unix seconds
    // Fills in the asker and posts, unless it may not be any more: then `done` says why.
    std::function<void(v1::AskRequest, std::chrono::milliseconds deadline, Line::Accept, Line::Done)> post;
    std::function<std::string()> shut;                                          // why nobody can be reached now: asking is answered at once; empty: ask
    std::function<void(const v1::AskReply&)> answered;                          // wishes
  };
  explicit Broker(Parts parts);
  ~Broker();  // whoever posts has ended: nothing comes back any more

  void use(std::shared_ptr<const Trust> trust, std::shared_ptr<Cache> cache, std::chrono::milliseconds batch, std::chrono::milliseconds timeout);

  // `done` once, on any thread: in the order of the keys, at the latest at the deadline.
  using Done = std::function<void(std::vector<Answered>)>;
  // `settled`: settled() before the asker looked into the cache. What was answered between its look and this call is looked up again, not asked again.
  void ask(std::vector<Key> keys, std::chrono::milliseconds deadline, Done done, std::uint64_t settled = 0);
  [[nodiscard]] std::uint64_t settled() const { return settled_; }
  // Everything that waits or is under way is thrown away; how many questions that were. Who waits is told `why`.
  std::size_t clear(const std::string& why);
  void stop();

  struct Counters {
    std::uint64_t asked = 0, merged = 0, batches = 0, answered = 0, unanswered = 0;
  };
  [[nodiscard]] Counters counters() const;
  // The message that would go next, as far as it is known; empty: nothing waits.
  [[nodiscard]] v1::AskRequest waiting() const;

 private:
  std::atomic<std::uint64_t> settled_ = 0;  // batches that were answered; counts before their flights end
  struct Pending;
  struct Flight;
  struct Batch;
  using Clock = std::chrono::steady_clock;
  using Finished = std::vector<std::shared_ptr<Pending>>;

  void run();
  [[nodiscard]] bool may_send() const;  // under the lock
  void send(std::unique_lock<std::mutex>& lock);
  void settle(const Key& key, const Answered& answer, Finished& finished);
  static void tell(const Finished& finished);
  [[nodiscard]] Result<> take(Batch& batch, const ksn_channel::Answer& answer, const Way& way);
  void ended(const std::shared_ptr<Batch>& batch, Result<> result);
  [[nodiscard]] static v1::AskRequest request_of(const std::vector<Key>& keys);

  const Parts parts_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<const Trust> trust_;
  std::shared_ptr<Cache> cache_;
  std::chrono::milliseconds batch_{3}, timeout_{5000};
  std::unordered_map<Key, std::shared_ptr<Flight>, KeyHash> flights_;
  std::deque<Key> queue_;
  Clock::time_point flush_at_ = Clock::time_point::max();
  std::multimap<Clock::time_point, std::weak_ptr<Pending>> deadlines_;
  unsigned under_way_ = 0;
  std::uint64_t generation_ = 0;  // what was sent before a clear counts no more
  bool stopping_ = false;
  Counters counters_;
  std::thread thread_;
};

}  // namespace ksn_client
