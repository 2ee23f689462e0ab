// Answers questions: from the cache, or from the KSN behind, once for all who ask the same. Any thread; one lock, held for a batch at a time.
#pragma once

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

#include "ask.hpp"
#include "cache.hpp"
#include "ksn/answers.hpp"
#include "ksn_server/server.hpp"
#include "licences.hpp"
#include "picket/ksn/v1/wire.pb.h"
#include "upstream.hpp"
#include "wishes.hpp"

namespace ksn_proxy {

struct BrokerSettings {
  std::size_t cache_bytes = 64u << 20;
  std::chrono::milliseconds gather{2};            // how long questions wait for others to go upstream with
  std::chrono::milliseconds deadline{5000};       // for an answer of the KSN
  std::chrono::seconds licence_lasts{600};        // what was accepted is believed for so long
  std::chrono::seconds keeps_for{7 * 86400};      // after it was accepted, what is sent with it may wait for the KSN
  std::chrono::seconds refusal_lasts{60};         // where the refusal does not say
  std::chrono::seconds line_lasts{60};            // so long after it was heard of, the KSN is believed to be there
  std::size_t most_waiting = 10'000;              // requests that wait for answers
  std::size_t most_pending = 100'000;             // different questions on their way
  std::size_t most_batches = 32;                  // requests to the KSN at a time
  std::size_t most_licences = 10'000;
  double new_licences_per_second = 20, new_licences_at_once = 200;  // that the KSN is asked of: guessing must not cost it, and us, more
  std::size_t new_licences_per_address = 20;      // in ten seconds: who guesses does not keep others' new ones out
};

struct BrokerCounters {
  std::uint64_t requests = 0, digests = 0, from_cache = 0, merged = 0;
  std::uint64_t upstream_questions = 0, upstream_requests = 0, upstream_failures = 0, untrusted = 0;
  std::uint64_t refused = 0, malformed = 0, overdue = 0, overloaded = 0;
  std::uint64_t waiting = 0, pending = 0, licences = 0;
  Cache::Counters cache;
};

// What a broker leaves to the next one of the same KSN. Of one broker at a time.
struct Answers {
  explicit Answers(std::size_t bytes) : cache(bytes) {}
  const Hasher hasher;
  Cache cache;
};

class Broker {
 public:
  struct Parts {
    Upstream& upstream;
    picket::ksn::Verifier verifier;
    std::string installation;                     // the proxy's own, 16 bytes
    std::string version;
    std::function<std::int64_t()> now;            // Unix seconds
    std::function<void(std::string_view)> warn;   // any thread
    std::shared_ptr<Answers> answers{};           // of the broker before, of the same keys and size; none: it begins with none
    Standings standings{};                        // what the broker before was told of licences
  };
  Broker(const BrokerSettings& settings, Parts parts);
  ~Broker();    // what waits is answered 503; the upstream must have ended, or answer nothing any more
  void stop();  // asks the upstream nothing any more; nobody may ask after it

  // peer: the device's IP address; empty: not known.
  void ask(std::string_view body, ksn_server::Reply reply, std::string_view peer = {});
  // `ours`, when this licence would be answered now: as the KSN said lately, or says when it is asked.
  void greet(std::string_view licence, const picket::ksn::v1::HelloReply& ours, ksn_server::Reply reply, std::string_view peer = {});
  // A refusal, unless the KSN accepted this licence within keeps_for and has not refused it since; else empty. Statistics and files of who nobody has
  // vouched for would take others' room until the KSN refuses them.
  [[nodiscard]] std::string why_not_kept(std::string_view licence, int& status);
  [[nodiscard]] BrokerCounters counters() const;
  [[nodiscard]] Standings standings() const;      // for the next broker of the same KSN

 private:
  struct Waiting;
  struct Pending;
  struct Batch {                                  // one request to the KSN
    Licence* licence;
    std::vector<Key> keys;
    bool extended = false;
  };
  using NewWishes = std::vector<std::pair<Key, std::string>>;
  struct Outgoing {                               // sent when the lock is free
    ksn_server::Reply reply;
    int status;
    std::string body;
  };
  using Out = std::vector<Outgoing>;
  struct QuestionHash {
    const Hasher* hasher;
    std::size_t operator()(const std::pair<const Licence*, Key>& question) const { return (*hasher)(question.second) ^ std::hash<const void*>()(question.first); }
  };

  // All of these under the lock.
  [[nodiscard]] bool may_be_new(Licence& licence, std::string_view peer, Clock::time_point now);
  [[nodiscard]] bool may_not_ask(Licence* licence, std::string_view peer, Clock::time_point now, int& status, std::string& body);  // nullptr: there is no room for it
  void accept(Licence& licence, Clock::time_point now);
  [[nodiscard]] static bool is_refused(const Licence& licence, Clock::time_point now, int& status, std::string& body);
  void wait_for_answers(Licence& licence, const std::shared_ptr<Waiting>& waiting, const std::vector<Key>& keys, const std::vector<std::size_t>& missing,
                        Clock::time_point now);
  template <class List>
  [[nodiscard]] std::string write_reply(const List& entries, bool extended, int& status);
  void resolve(Pending& pending, Entry& entry, Out& out);
  void give_up(Waiting& waiting, int status, const std::string& body, Out& out);
  void flush(Licence& licence);
  [[nodiscard]] std::string failure_of(Licence& licence, const picket::Result<Posted>& posted, std::string_view lie, Clock::time_point now, int& status);

  // Without it. The licence is busy, so that it stays where and as it is.
  [[nodiscard]] picket::ksn::v1::Asker asker_of(const Licence& licence) const;
  [[nodiscard]] std::string request_of(const Batch& batch) const;
  void send_batches(std::unique_lock<std::mutex>& lock);
  void post_greeting(Licence& licence, const picket::ksn::v1::HelloReply& ours, bool proves);
  void on_greeted(Licence& licence, const picket::ksn::v1::HelloReply& ours, const picket::Result<Posted>& posted, const std::string& lie, bool proves);
  void on_posted(const std::shared_ptr<Batch>& batch, picket::Result<Posted> posted);
  [[nodiscard]] picket::Result<std::vector<EntryRef>> take(const Batch& batch, std::string_view body, NewWishes& wishes);
  void run();
  static void send(Out& out);

  const BrokerSettings settings_;
  Parts parts_;
  const std::shared_ptr<Answers> answers_;
  const Hasher& hasher_;
  const std::vector<std::string> signers_;        // the verifier's, as they stand in replies
  mutable std::mutex mutex_;
  std::condition_variable wakes_;
  Cache& cache_;
  Licences licences_;
  Wishes wishes_;
  std::unordered_map<std::pair<const Licence*, Key>, std::unique_ptr<Pending>, QuestionHash> pending_;
  std::vector<Licence*> due_;                     // with unsent questions
  std::deque<std::shared_ptr<Waiting>> waiting_;  // in the order of their deadlines
  std::size_t waiting_count_ = 0, in_flight_ = 0, greeters_ = 0;
  Clock::time_point heard_at_{};                  // of the KSN; the epoch: not yet
  bool lied_ = false;                             // its last answer was not the provider's
  std::vector<std::shared_ptr<Batch>> ready_;     // to be posted when the lock is free
  double newcomers_;                              // tokens
  Clock::time_point newcomers_at_{};
  std::map<std::string, std::size_t, std::less<>> newcomers_of_;  // by address, since `counted_since_`; no more of them than tokens
  Clock::time_point counted_since_{};
  BrokerCounters counters_;
  bool over_ = false;
  std::thread thread_;                            // gathers and watches deadlines; sleeps when nothing waits
};

}  // namespace ksn_proxy
