// The HTTPS front of a KSN proxy or service: threads of its own, one event loop each. HTTP/1.1 and HTTP/2, TLS 1.2 and 1.3.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"

namespace picket::ksn::v1 {
enum Refusal_Why : int;  // v1::Refusal::Why, without the generated header
}

namespace ksn_server {

// Borrowed for the call. Only POST gets here.
struct Request {
  std::string_view path;  // begins with '/', without query
  std::string_view body;  // at most body_limit(path)
  std::string_view peer;  // "192.0.2.7"
};

// Where an answer goes; may be called by any thread, also after the server has ended.
class ReplyRoad {
 public:
  virtual ~ReplyRoad() = default;
  virtual void deliver(std::uint64_t connection, std::uint32_t stream, int status, std::string body) = 0;
};

// Move-only; send once, from any thread. Dropped without send: 503 with a Refusal, so that no client waits for nothing.
class Reply {
 public:
  Reply() = default;
  Reply(std::shared_ptr<ReplyRoad> road, std::uint64_t connection, std::uint32_t stream) : road_(std::move(road)), connection_(connection), stream_(stream) {}
  // For tests of handlers without a server.
  [[nodiscard]] static Reply to(std::function<void(int status, std::string body)> done);
  Reply(Reply&&) noexcept = default;
  Reply& operator=(Reply&& other) noexcept;
  ~Reply() { drop(); }

  void send(int status, std::string body) &&;

 private:
  void drop() noexcept;
  std::shared_ptr<ReplyRoad> road_;
  std::uint64_t connection_ = 0;
  std::uint32_t stream_ = 0;
};

// On one of the server's threads; must not block. An answer that is sent before it returns costs no switch of threads.
using Handler = std::function<void(const Request&, Reply)>;

struct Settings {
  std::string address = "127.0.0.1";                // an IP address; "::" takes IPv4 too
  std::uint16_t port = 0;                           // 0: any free one
  std::string certificate_file, key_file;           // PEM: the certificate, then those that lead to its authority
  unsigned threads = 1;
  std::size_t most_connections = 10000, most_per_peer = 1000;
  std::size_t most_held_bytes = 256u << 20;         // request bodies and answers in memory, of all connections; beyond it 503,
  std::size_t most_held_per_peer = 128u << 20;      // also of one peer: no device takes the room of all
  std::chrono::milliseconds idle{60000};            // between requests
  std::chrono::milliseconds request_timeout{20000}; // from a request's first byte to its last, and for the TLS handshake
  std::chrono::milliseconds send_timeout{30000};    // for a client to take an answer
  bool plain = false;                               // for tests and benches on loopback only; HTTP/2 by prior knowledge
  // What GET (and HEAD) of a path shows to people, as HTML; empty: 404. Any of the server's threads. Not set: POST only.
  std::function<std::string(std::string_view path)> page;
};

struct Counters {
  std::uint64_t bytes_in = 0, bytes_out = 0;
  std::uint64_t turned_away = 0;                    // connections beyond the limits
  std::uint64_t broken_off = 0;                     // connections that were too slow, or spoke no HTTP
  std::uint32_t connections = 0;
};

class Server {
 public:
  // Listens when it returns: on `listener` where there is one, which an earlier server bound to this address. An error names the address or the file.
  [[nodiscard]] static picket::Result<std::unique_ptr<Server>> start(Settings settings, Handler handler, picket::UniqueFd listener = {});
  ~Server();
  [[nodiscard]] std::uint16_t port() const;
  // Whether another certificate lies there than when it was last looked at. true: who connects from here on is given it; an error: it cannot be
  // used, and the former one is served on. One thread.
  [[nodiscard]] picket::Result<bool> look_at_certificate();
  // Accepts nobody any more, answers what was asked and closes, for at most so long: for a version that another one replaces. What comes back listens,
  // for the one that goes on; who connects meanwhile waits in it.
  [[nodiscard]] picket::UniqueFd drain(std::chrono::milliseconds limit = std::chrono::seconds(1));
  void stop();  // cuts the connections, joins the threads; no handler runs after it
  [[nodiscard]] Counters counters() const;

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// A serialised v1::Refusal, and the HTTP status that belongs to it (wire.proto).
[[nodiscard]] std::string refusal(picket::ksn::v1::Refusal_Why why, std::string_view text, std::uint32_t retry_after_seconds = 0);
[[nodiscard]] int http_status(picket::ksn::v1::Refusal_Why why);
// Bytes of a request's body at most (sdk/ksn/limits.hpp).
[[nodiscard]] std::size_t body_limit(std::string_view path);

}  // namespace ksn_server
