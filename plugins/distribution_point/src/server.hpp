// The web server: threads of its own, one event loop each; connections are dealt out in turn. Serves a catalogue that can be exchanged while
// requests are answered.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bandwidth.hpp"
#include "base/result.hpp"
#include "catalogue.hpp"
#include "seat/seat.hpp"

namespace distribution_point {

struct ServerSettings {
  std::vector<std::string> addresses = {"0.0.0.0"};
  int http_port = 0, https_port = -1;             // 0: any free one, -1: off
  std::filesystem::path certificate, key;         // PEM, for https
  std::chrono::seconds certificate_look{30};      // how often to see whether it was renewed
  std::size_t threads = 0;                        // 0: one for each processor, at most 4
  std::size_t most_connections = 12'000, most_per_address = 1'000;
  std::chrono::seconds head_timeout{10};          // from a request's first byte to its last, and for the TLS handshake
  std::chrono::seconds idle_timeout{75};          // between requests
  std::chrono::seconds send_timeout{30};          // how long a client may take less than min_bytes_per_second
  std::uint64_t min_bytes_per_second = 512;
  std::uint64_t bulk_bytes = 65'536;              // bodies from this size on are slowed by the rules
  std::vector<BandwidthRule> bandwidth;
  // Of memory for long requests, of all connections. Who fills it keeps others from saying what they need for as long as a request may take, and nobody from
  // fetching files.
  std::uint64_t most_read = 64u << 20;
};

// Counters of all threads; read at any time.
struct ServerCounters {
  std::atomic<std::uint64_t> requests{0}, sent_bytes{0}, refused{0};
  std::atomic<std::uint32_t> connections{0};
};

struct ApiAnswer {
  int status = 200;
  std::string body;   // JSON
};

class Server {
 public:
  struct Parts {
    // POST /v1/...; any of the server's threads, must not block for long.
    std::function<ApiAnswer(const picket::Address& from, std::string_view path, std::string_view body)> on_post;
    std::function<void(std::string_view)> warn;
    std::shared_ptr<const Catalogue> catalogue = nullptr;  // served from the first request on; none: nothing yet
    std::function<void(const picket::Address& from)> on_file = nullptr;  // a GET or HEAD of what is in the catalogue; any of the threads, must not block
    std::function<std::time_t()> clock = nullptr;          // by which the windows of bandwidth rules open; none: the system's. Any of the threads
    std::function<void(std::string_view)> inform = nullptr;
  };
  // Listens when it returns; on those of the inherited sockets that the settings want, which are named as listening() does. The text of an error
  // names the address and the setting.
  [[nodiscard]] static picket::Result<std::unique_ptr<Server>> start(const ServerSettings& settings, Parts parts, picket::plugin::Sockets inherited = {});
  virtual ~Server() = default;  // cuts the connections, joins the threads

  // Every request that begins after this returned is answered from the new catalogue.
  virtual void serve(std::shared_ptr<const Catalogue> catalogue) = 0;
  [[nodiscard]] virtual std::vector<std::string> addresses() const = 0;  // "http 127.0.0.1:13080"
  // For who goes on: "http 127.0.0.1 0", as the settings have it, and the socket.
  [[nodiscard]] virtual std::vector<std::pair<std::string, int>> listening() const = 0;
  // Accepts nobody any more. What is under way is ended, for at most so long; then nothing is lost by the destructor's cut.
  virtual void drain(std::chrono::milliseconds limit) = 0;
  [[nodiscard]] virtual const ServerCounters& counters() const = 0;
};

}  // namespace distribution_point
