// The facade of the bus. A Router joins Peers; a Peer is a plugin, a part of the host, or picketctl.
//
// Rules, the same as sdk/include/picket/ext/bus.h states for plugins:
//  - a topic has one kind, declared before use; a second declaration with another kind is refused;
//  - state keeps the latest message per key and hands it to late subscribers; in a full queue a newer value replaces the older one of its key;
//  - event is delivered to every subscriber or to none: BUSY when one queue is full;
//  - request: fails at once when the answerer's queue is full; deadline and cancellation reach the other side;
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
#include "bus/message.hpp"

namespace picket::runtime { class Executor; }

namespace picket::bus {

// The numbers of picket_status: 0 ok, negative = -int(Code).
using Status = std::int32_t;
constexpr Status kOk = 0;
[[nodiscard]] constexpr Status status_of(Code code) { return -static_cast<Status>(code); }

using Token = std::uint64_t;      // the asker's name for its open request
using RequestId = std::uint64_t;  // the answerer's name for it

constexpr std::size_t kMaxPayload = 131072;

// Called on the peer's strand, one at a time. Default: ignore.
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
  std::vector<TopicKind> publishes;      // exact topics
  std::vector<std::string> subscribes;   // filters: a subscription must lie within one of them
  std::vector<std::string> answers;      // exact request topics
  std::vector<std::string> asks;         // filters
};

struct QueueLimits {
  std::size_t messages = 4096;
  std::size_t bytes = 8u << 20;
};

struct PeerOptions {
  std::string name;  // unique among attached peers
  AllowList allow;
  QueueLimits queue;
};

struct PeerCounters {
  std::uint64_t published = 0, delivered = 0, denied = 0, busy = 0, lost = 0;
  std::size_t queued_messages = 0, queued_bytes = 0;
};

struct Request {
  std::string_view topic;
  std::string_view to;            // peer name; empty: the only answerer
  std::string_view content_type;
  std::string_view payload;
  std::chrono::milliseconds timeout{10'000};
  std::uint64_t credit = 0;       // bytes of stream the answer may send at first
};

// One side of the bus. All calls any-thread, never blocking, never calling a handler before they return. Destroying it
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
  // An administrator's policy may narrow, never widen: the intersection is in force from now on.
  virtual void narrow(const AllowList& allow) = 0;
};

// What `picketctl bus watch` sees: every accepted and refused message, after the fact.
struct Seen {
  enum class What : std::uint8_t { publish, request, reply, stream, cancel, denied, busy } what;
  MessagePtr message;     // reply and stream: payload may be dropped
  std::string_view to;
  Status status = kOk;
};

class Router {
 public:
  [[nodiscard]] static std::unique_ptr<Router> make(runtime::Executor& executor);
  virtual ~Router() = default;
  // Code::conflict: the name is taken, or a topic is already of another kind, or already answered by... (several may answer one topic).
  [[nodiscard]] virtual Result<std::unique_ptr<Peer>> attach(PeerOptions options, Handler& handler) = 0;
  // A topic whose retained state values are dropped (a peer that published them is gone for good).
  virtual void forget(std::string_view topic, std::string_view key) = 0;
  // At most one watcher set; called any-thread, must not block. Empty: off, which costs nothing.
  using Tap = std::function<void(const Seen&)>;
  virtual void set_tap(Tap tap) = 0;
  struct TopicInfo {
    std::string topic;
    Kind kind;
    std::vector<std::string> publishers, subscribers, answerers;
    std::uint64_t messages = 0;
  };
  [[nodiscard]] virtual std::vector<TopicInfo> topics() const = 0;
};

}  // namespace picket::bus
