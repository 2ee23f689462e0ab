// Behind a Peer: its queue, its open requests, what it may do. Shared with those who still refer to it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bus/bus.hpp"
#include "bus/inbox.hpp"
#include "bus/open_request.hpp"
#include "runtime/executor.hpp"

namespace picket::bus {

class RouterCore;
class Topic;

// Open requests of one asker. Each may have a reply waiting in the queue, beyond the queue's limits.
constexpr std::size_t kMaxOpenRequests = 1024;
constexpr std::size_t kMaxFilters = 1024;
// What a peer that stands by may have published; more is TOO_LARGE.
constexpr std::size_t kMaxHeld = 1024;
constexpr std::size_t kMaxHeldBytes = 4u << 20;

struct HashText {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

class PeerCore final : public runtime::Job, public std::enable_shared_from_this<PeerCore> {
 public:
  PeerCore(std::shared_ptr<RouterCore> router, PeerOptions options, Handler& handler, std::shared_ptr<runtime::Strand> strand);

  [[nodiscard]] const std::string& name() const { return options_.name; }
  [[nodiscard]] const AllowList& attached_with() const { return options_.allow; }
  void may_publish(Topic& topic);  // while attaching only

  // As Peer's.
  [[nodiscard]] Status publish(std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload);
  [[nodiscard]] Status subscribe(std::string_view filter);
  [[nodiscard]] Status unsubscribe(std::string_view filter);
  [[nodiscard]] Status request(const Request& request, Token token);
  [[nodiscard]] Status grant(Token token, std::uint64_t bytes);
  [[nodiscard]] Status cancel(Token token);
  [[nodiscard]] Status respond(RequestId id, Status status, std::string_view content_type, std::string_view payload);
  [[nodiscard]] Status stream_write(RequestId id, std::string_view chunk);
  [[nodiscard]] std::uint64_t credit(RequestId id) const;
  [[nodiscard]] PeerCounters counters() const;
  void count_loss(std::uint64_t count) { lost_.fetch_add(count, std::memory_order_relaxed); }
  void narrow(const AllowList& allow);
  [[nodiscard]] bool publishes(std::string_view topic) const;
  [[nodiscard]] std::vector<std::string> answerers(std::string_view topic) const;
  void pause();
  void resume();

  // Beside another peer of its name.
  [[nodiscard]] bool stands_by() const { return place_.load(std::memory_order_acquire) == Place::standby; }
  [[nodiscard]] bool is_retired() const { return place_.load(std::memory_order_acquire) == Place::retired; }
  [[nodiscard]] Result<> take_over();
  [[nodiscard]] bool leave_if_idle();
  void retire() { place_.store(Place::retired, std::memory_order_release); }  // of the router, under its lock, as the next
  template <class Switch>
  void step_in(Switch&& make_the_switch) {
    const std::scoped_lock lock(held_mutex_);
    make_the_switch();
    publish_held();
    place_.store(Place::present, std::memory_order_release);
  }

  // Ends all that is open; false: a handler call still runs after the limit.
  [[nodiscard]] bool detach(std::chrono::milliseconds limit);

  // Of the router, under its lock.
  std::vector<std::string> filters;
  std::vector<Topic*> declared;
  [[nodiscard]] bool listens_to(std::string_view topic) const;

  Inbox inbox;
  // Under the inbox's lock, after a push. True: the caller calls schedule() next.
  [[nodiscard]] bool claim_schedule();
  void schedule();
  // The same for a request or a reply that was just pushed: a quick handler gets it here.
  void hand_out();

  // Whoever comes first ends the request; false: somebody else did.
  enum class By : std::uint8_t { asker, answerer, nobody };
  static bool finish(const std::shared_ptr<OpenRequest>& open, Status status, std::string_view content_type, std::string_view payload,
                     By by);

 private:
  enum class Place : std::uint8_t { present, standby, retired };
  enum Halt : std::uint8_t { kPaused = 1, kDetached = 2 };
  struct Publication {
    Topic* topic;
    std::atomic<bool> allowed{true};
    std::atomic<std::uint64_t> count{0};  // written under the topic's lock
  };

  [[nodiscard]] std::optional<Status> publish_aside(Publication& to, std::string_view key, std::string_view content_type, std::string_view payload);
  void publish_held();
  void run() override;  // on the strand: hands out what has come
  void end_run(std::unique_lock<SpinLock>& lock, bool again);
  [[nodiscard]] bool run_batch();  // true: its turn is over and there is more
  void deliver(Item& item);
  void deliver_request(const Item& item);
  void deliver_chunk(const Item& item);
  void deliver_reply(const Item& item);
  void deliver_credit(const Item& item);
  void push_control(Item item);
  void queue_credit(const std::shared_ptr<OpenRequest>& open);  // to this peer, the answerer
  [[nodiscard]] Status take_request(const std::shared_ptr<OpenRequest>& open, const MessagePtr& message);  // as the answerer
  void forget_request(RequestId id);
  [[nodiscard]] std::shared_ptr<OpenRequest> find_ask(Token token) const;
  [[nodiscard]] std::shared_ptr<OpenRequest> find_todo(RequestId id) const;
  [[nodiscard]] Status deny(Kind kind, std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload,
                            std::string_view to);

  const std::shared_ptr<RouterCore> router_;
  const PeerOptions options_;
  Handler& handler_;
  const std::shared_ptr<runtime::Strand> strand_;
  std::unordered_map<std::string, Publication, HashText, std::equal_to<>> publications_;  // constant once attached

  mutable std::mutex allow_mutex_;
  std::vector<std::string> may_subscribe_, may_ask_;

  mutable std::mutex open_mutex_;
  std::unordered_map<Token, std::shared_ptr<OpenRequest>> asks_;      // until the reply is handed out
  std::unordered_map<RequestId, std::shared_ptr<OpenRequest>> todo_;  // until finished
  bool is_closed_ = false, takes_no_more_ = false;

  std::mutex held_mutex_;  // before those of topics
  std::vector<std::pair<Publication*, MessagePtr>> held_;  // state that was published while standing by, the latest of each key
  std::size_t held_bytes_ = 0;

  // Under the inbox's lock.
  bool is_scheduled_ = false;
  bool is_running_ = false;
  std::condition_variable_any stopped_running_;

  // published_: events that nobody hears; the others are counted with their topic.
  alignas(64) std::atomic<std::uint64_t> published_{0};
  std::atomic<std::uint64_t> denied_{0}, busy_{0}, lost_{0};
  // The draining thread's.
  alignas(64) std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint8_t> halt_{0};
  std::atomic<Place> place_{Place::present};
  std::vector<Item> batch_;
  std::size_t next_ = 0;
  struct Turn {
    std::chrono::steady_clock::time_point began;
    unsigned count = 0, look_at = 2, lingers = 0;
  } turn_;
  unsigned flow_ = 0;  // messages of the earlier turns that this one followed closely
};

}  // namespace picket::bus
