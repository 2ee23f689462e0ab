// The facade of the bus. A Router joins Peers; a Peer is a plugin, a part of the host, or picketctl.
//
// Rules, the same as sdk/include/picket/ext/bus.h states for plugins:
//  - a topic has one kind, declared before use; a second declaration with another kind is refused;
//  - state keeps the latest message per key and hands it to late subscribers; in a full queue a newer value replaces the older one
//    of its key, so that publishing state is never BUSY (at most 4096 keys and 16 MiB per topic: TOO_LARGE); it outlives its publisher, and
//    is withdrawn from one that loses the topic: subscribers get its key with an empty payload and no content type;
//  - event is delivered to every subscriber or to none: BUSY when one queue is full;
//  - request: fails at once when the answerer's queue is full; deadline and cancellation reach the other side; one asker has at
//    most 1024 open; CONFLICT when its token is in use, or nobody was named and several answer;
//  - a chunk is BUSY without credit, and also when the asker's queue is full of chunks; on_credit follows in both cases;
//  - a peer may stand by for another of its name and take its place, so that no message is lost or heard by both (PeerOptions::stands_by);
//  - topics below "picket." have owners (base/topic_owners.hpp): what a peer's standing does not reach it cannot attach with, and asking it is
//    DENIED, whatever its allow-list and behind whichever wildcard;
//  - every peer has one inbound queue, bounded in messages and bytes; its handler's calls never overlap.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/topic_owners.hpp"
#include "bus/message.hpp"

namespace picket::runtime {
class Executor;
class Strand;
class Timers;
}

namespace picket::bus {

// The numbers of picket_status: 0 ok, negative = -int(Code).
using Status = std::int32_t;
constexpr Status kOk = 0;
[[nodiscard]] constexpr Status status_of(Code code) { return -static_cast<Status>(code); }
// Of a plugin, it may be any number: what is no failure that has a name is an internal one.
[[nodiscard]] constexpr Code code_of(Status status) { return status < kOk && status >= status_of(Code::internal) ? static_cast<Code>(-status) : Code::internal; }

using Token = std::uint64_t;      // the asker's name for its open request
using RequestId = std::uint64_t;  // the answerer's name for it

constexpr std::size_t kMaxPayload = 131072;

// Called on the peer's strand (PeerOptions::is_quick: also by whoever brings something), one at a time. Default: ignore.
class Handler {
 public:
  virtual ~Handler() = default;
  virtual void on_message(const MessagePtr&) {}
  virtual void on_request(RequestId, const MessagePtr&) {}
  virtual void on_stream(Token, const MessagePtr& /*chunk: payload only*/) {}
  // status < 0: the payload is the error's text. Exactly once per accepted request.
  virtual void on_reply(Token, Status, const MessagePtr&) {}
  virtual void on_credit(RequestId, std::uint64_t /*bytes that may be written now*/) {}
  virtual void on_cancel(RequestId) {}
  virtual void on_loss(std::string_view /*topic*/, std::uint64_t /*count*/) {}
};

struct TopicKind {
  std::string topic;
  Kind kind;
};

// What a peer may do. A filter is a topic or a prefix that ends in ".*"; "*" is everything.
struct AllowList {
  std::vector<TopicKind> publishes{};      // exact topics
  std::vector<std::string> subscribes{};   // filters: a subscription must lie within one of them
  std::vector<std::string> answers{};      // exact request topics
  std::vector<std::string> asks{};         // filters
};

struct QueueLimits {
  std::size_t messages = 4096;
  std::size_t bytes = 8u << 20;
};

struct PeerOptions {
  std::string name;  // unique among attached peers
  AllowList allow{};
  QueueLimits queue{};
  Standing standing = Standing::host;  // less for whoever is not a part of the host
  bool starts_paused = false;  // no handler call before resume()
  // Beside the peer that has this name: it may ask, and is asked only by who names it standby_address(name). What it subscribes, and the
  // state that it publishes, is kept until take_over(); an event is BUSY until then.
  bool stands_by = false;
  // A request or a reply that finds its queue empty is handed out by the thread that brings it, before that one's call of the bus returns; which saves
  // waking another. Its handler therefore never blocks, asks nothing while it is called, takes for a request no lock that it holds while it asks,
  // and for a reply none that it holds while it calls the bus.
  bool is_quick = false;
  std::shared_ptr<runtime::Strand> strand = nullptr;  // whose tasks its handler's calls shall not overlap, so never of a quick one; null: one of its own
};

// Whom to name in Request::to for a peer that stands by.
[[nodiscard]] inline std::string standby_address(std::string_view name) { return cat(name, "@next"); }

struct PeerCounters {
  std::uint64_t published = 0, delivered = 0, denied = 0, busy = 0, lost = 0;
  std::size_t queued_messages = 0, queued_bytes = 0;
};

struct Request {
  std::string_view topic{};
  std::string_view to{};          // peer name; empty: the only answerer
  std::string_view content_type{};
  std::string_view payload{};
  std::chrono::milliseconds timeout{10'000};
  std::uint64_t credit = 0;       // bytes of stream the answer may send at first
};

// One side of the bus. All calls any-thread, never blocking, and calling no handler before they return but a quick one. Destroying it
// detaches: open requests to it are answered UNAVAILABLE, its own are cancelled, and no handler call runs after the destructor
// returned (it waits for one that is running; so never destroy it from its own handler).
class Peer {
 public:
  virtual ~Peer() = default;
  [[nodiscard]] virtual Status publish(std::string_view topic, std::string_view key, std::string_view content_type, std::string_view payload) = 0;
  [[nodiscard]] virtual Status subscribe(std::string_view filter) = 0;
  virtual Status unsubscribe(std::string_view filter) = 0;
  [[nodiscard]] virtual Status request(const Request& request, Token token) = 0;
  virtual Status grant(Token token, std::uint64_t bytes) = 0;
  virtual Status cancel(Token token) = 0;
  virtual Status respond(RequestId id, Status status, std::string_view content_type, std::string_view payload) = 0;
  [[nodiscard]] virtual Status stream_write(RequestId id, std::string_view chunk) = 0;
  [[nodiscard]] virtual std::uint64_t credit(RequestId id) const = 0;  // what may be written now; 0 also when gone
  [[nodiscard]] virtual PeerCounters counters() const = 0;
  [[nodiscard]] virtual const std::string& name() const = 0;
  // Who would answer this: to say it when a request that named nobody was a CONFLICT.
  [[nodiscard]] virtual std::vector<std::string> answerers(std::string_view topic) const = 0;
  // An administrator's policy may narrow, never widen: the intersection is in force from now on, and state on what was taken away is withdrawn.
  virtual void narrow(const AllowList& allow) = 0;
  // Flow control for a handler that passes things on: while paused it is not called (at once when called from the handler
  // itself), what arrives waits in the queue under its limits.
  virtual void pause() = 0;
  virtual void resume() = 0;
  // Messages of this peer that were lost after all (a remote publisher that could not be told BUSY); for counters().
  virtual void count_loss(std::uint64_t count) = 0;
  // What the destructor does, but gives up waiting after the limit. false: a handler call still runs; then the handler must
  // stay alive, and this object with it, until another detach() says true. Calls made after it are answered UNAVAILABLE.
  [[nodiscard]] virtual bool detach(std::chrono::milliseconds limit) = 0;
  // Of a peer that stands by: it gets the name, the answering and the listening of the one before it, each topic in one step, so that a
  // message or a question goes to one of the two. The one before may still answer what it was asked and publish events, no state.
  // Code::conflict: it does not stand by.
  [[nodiscard]] virtual Result<> take_over() = 0;
  // Of one that was taken over from: true when nothing waits for it and nobody waits for its answer; then it is asked nothing more,
  // and who was about to ask it asks its successor.
  [[nodiscard]] virtual bool leave_if_idle() = 0;
};

// For answers that grow with what they tell of: one that is larger than the bus takes becomes an error that says so, where silence would let the asker wait.
void answer(Peer& peer, RequestId id, std::string_view content_type, std::string_view payload);

// What `picketctl bus watch` sees: every accepted and refused message, after the fact.
struct Seen {
  enum class What : std::uint8_t { publish, request, reply, stream, cancel, denied, busy } what;
  MessagePtr message{};   // reply and stream: payload may be dropped
  std::string_view to{};
  Status status = kOk;
};

class Router {
 public:
  // Without timers it makes its own (a thread). Both must outlive the router and its peers.
  [[nodiscard]] static std::unique_ptr<Router> make(runtime::Executor& executor, runtime::Timers* timers = nullptr);
  virtual ~Router() = default;
  // Code::conflict: the name is taken, or a topic is already of another kind (several peers may answer one topic). Code::denied: a topic that
  // it would publish or answer is not for one of its standing.
  [[nodiscard]] virtual Result<std::unique_ptr<Peer>> attach(PeerOptions options, Handler& handler) = 0;
  // What `publisher` published on a state topic counts no more, also when it is not attached: dropped, and its subscribers told.
  virtual void withdraw(std::string_view topic, std::string_view publisher) = 0;
  // Drops a state topic's kept value of this key, or all of them when the key is empty (who published them is gone for good).
  virtual void forget(std::string_view topic, std::string_view key) = 0;
  // At most one watcher; called any-thread, must not block nor set the tap. Empty: off, which costs nothing; the one before
  // is not called any more once set_tap has returned.
  using Tap = std::function<void(const Seen&)>;
  virtual void set_tap(Tap tap) = 0;
  struct TopicInfo {
    std::string topic;
    Kind kind;
    std::vector<std::string> publishers{}, subscribers{}, answerers{};
    std::uint64_t messages = 0;
  };
  [[nodiscard]] virtual std::vector<TopicInfo> topics() const = 0;
};

}  // namespace picket::bus
