// Passes statistics and content on to the KSN: at once while the line works, else from the disk when it works again. Taken is only what is on disk
// or delivered. Any thread; a thread of its own writes, and sends one after the other.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "ksn_server/server.hpp"
#include "leftovers.hpp"
#include "outbox.hpp"
#include "upstream.hpp"
#include "waiting.hpp"

namespace ksn_proxy {

struct ForwarderSettings {
  std::filesystem::path folder;
  Outbox::Limits limits{};                          // bytes: of all folders together
  std::uint64_t most_per_address = 32u << 20;       // bytes that wait of one address: no device takes the room of all
  std::chrono::milliseconds deadline{10000};        // of one message on the line
  std::chrono::milliseconds pause{1000};            // at least, after a failure
  std::int64_t keeps_seconds = 7 * 86400;           // what waits longer is given up, and counted
  std::chrono::milliseconds patience{3'600'000};    // with a message that a server before the KSN refuses, while it lets others pass: then it is given up, too
  std::vector<std::string> ksn{};                   // the ids of its keys: what waits for a KSN that has none of them is not for this one; none: any KSN's
  std::size_t most_queued = 1000;                   // messages before the disk
  std::size_t most_queued_bytes = 64u << 20;        // and on the line at once
};

struct ForwarderCounters {
  std::uint64_t passed_on = 0;                      // at once
  std::uint64_t stored = 0, delivered = 0;          // through the disk
  std::uint64_t refused_by_ksn = 0, expired = 0, unreadable = 0;  // given up
  std::uint64_t no_room = 0, no_licence = 0;        // refused to the device, which keeps it
  Outbox::Counters outbox;
};

class Forwarder {
 public:
  struct Parts {
    Upstream& upstream;
    std::function<std::int64_t()> now;
    std::function<void(std::string_view)> warn;
    // A refusal, and its HTTP status, when nothing of this licence may wait here; else empty. May be missing: of each.
    std::function<std::string(std::string_view licence, int& status)> why_not_kept{};
  };
  [[nodiscard]] static picket::Result<std::unique_ptr<Forwarder>> start(ForwarderSettings settings, Parts parts);
  ~Forwarder();         // writes what it was given; the upstream must have ended
  void stop_sending();  // the upstream may end after it

  // peer: the device's IP address.
  void statistics(std::string_view body, std::string_view peer, ksn_server::Reply reply);
  void content(std::string_view body, std::string_view peer, ksn_server::Reply reply);
  [[nodiscard]] ForwarderCounters counters() const;

 private:
  struct From {                   // a device's message
    std::string peer, licence;
    ksn_server::Reply reply;
  };
  struct Refused {
    std::chrono::steady_clock::time_point since;
    std::uint64_t passed_on;      // of the others, then
  };
  struct Queued {
    Message message;
    From from;
  };
  Forwarder(ForwarderSettings settings, Parts parts, Outbox outbox, const std::filesystem::path& own);
  void pass_on(MessageKind kind, std::string body, From from);
  void store(MessageKind kind, std::string body, From from);
  [[nodiscard]] bool is_turned_away(From& from);  // told why, too
  void run();
  void write(std::vector<Queued> queued);
  void send_oldest();
  void on_sent(picket::Result<Posted> posted);
  [[nodiscard]] bool is_refused_alone();
  void done(std::uint64_t ForwarderCounters::*counter, std::string_view why_given_up);
  void taken();           // something, by the KSN; under the lock
  void make_room(const Message& message);
  [[nodiscard]] bool already_has(const Message& message, std::string& answer);
  void say(std::string_view text);

  const ForwarderSettings settings_;
  Parts parts_;
  mutable std::mutex mutex_;
  std::condition_variable wakes_;
  std::vector<Queued> queue_;
  std::size_t queued_bytes_ = 0, passing_bytes_ = 0;
  Waiting waiting_;                                 // what is in the outbox
  ForwarderCounters counters_;
  bool is_taken_ = false;
  bool over_ = false, sends_ = true, in_flight_ = false;
  std::unique_ptr<picket::Result<Posted>> sent_;    // the answer to the one that was in flight
  std::chrono::steady_clock::time_point next_try_{};
  std::chrono::steady_clock::time_point next_word_{};  // warnings are not repeated every second
  // The thread's own:
  Outbox outbox_;
  Leftovers leftovers_;                             // in the same room
  Message oldest_;                                  // the one in flight
  std::optional<Refused> refused_;                  // the oldest, by a server before the KSN
  std::thread thread_;
};

}  // namespace ksn_proxy
