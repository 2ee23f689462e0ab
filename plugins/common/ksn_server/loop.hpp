// One thread of the server: its epoll, its connections. All members belong to that thread unless said.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/files.hpp"
#include "ksn_server/connection.hpp"
#include "ksn_server/server.hpp"
#include "tls_server/served_certificate.hpp"

namespace ksn_server {

// What all threads share.
struct Shared {
  Settings settings;
  Handler handler;
  std::unique_ptr<tls_server::ServedCertificate> certificate;  // none: plain
  Budget budget;
  std::atomic<std::uint64_t> bytes_in{0}, bytes_out{0}, turned_away{0}, broken_off{0};
  std::atomic<std::uint32_t> connections{0};

  // What the peer's connections may hold, until leave(); nullptr: too many connections, in all or of this peer.
  [[nodiscard]] Budget* admit(const std::string& peer);
  void leave(const std::string& peer);                // one connection

 private:
  struct Peer {
    std::size_t connections = 0;
    Budget budget;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Peer> per_peer_;
};

struct Newcomer {
  picket::UniqueFd socket;
  std::string peer;
  Budget* budget;
};

// What other threads put before a loop. Outlives it, because replies do.
class Inbox final : public ReplyRoad {
 public:
  struct Delivery {
    std::uint64_t connection;
    std::uint32_t stream;
    int status;
    std::string body;
  };
  [[nodiscard]] picket::Result<> open();
  [[nodiscard]] int event() const { return event_.get(); }
  void deliver(std::uint64_t connection, std::uint32_t stream, int status, std::string body) override;
  void adopt(Newcomer newcomer);
  void finish();                              // asks it to accept nobody any more, and to close what is idle
  void close(bool now);                       // now: the loop is gone; else: asks it to end
  // The loop's thread. False: it is asked to end.
  [[nodiscard]] bool take(std::vector<Delivery>& deliveries, std::vector<Newcomer>& newcomers);
  [[nodiscard]] bool is_finishing() const { return finishing_; }
  void belongs_to(Loop* loop);                // called by the thread that runs it; nullptr: no more

 private:
  void wake();
  std::mutex mutex_;
  bool stop_ = false, gone_ = false, woken_ = false;
  std::vector<Delivery> deliveries_;
  std::vector<Newcomer> newcomers_;
  picket::UniqueFd event_;
  Loop* loop_ = nullptr;                      // touched by thread_ only
  std::atomic<std::thread::id> thread_{};
  std::atomic<bool> finishing_{false};
};

class Loop {
 public:
  explicit Loop(Shared& shared) : shared_(shared), inbox_(std::make_shared<Inbox>()) {}
  ~Loop();
  [[nodiscard]] picket::Result<> open();
  // One loop listens, and deals out to all of them in turn.
  void listen_on(int listener, std::vector<std::shared_ptr<Inbox>> loops);
  void run();
  [[nodiscard]] const std::shared_ptr<Inbox>& inbox() const { return inbox_; }

  [[nodiscard]] Shared& shared() { return shared_; }
  [[nodiscard]] std::string_view date() const { return date_; }
  [[nodiscard]] std::int64_t now_ms() const { return now_ms_; }
  [[nodiscard]] char* scratch() { return scratch_.data(); }
  static constexpr std::size_t kScratch = 65536;
  // A buffer with room, lent to who has something to send.
  std::string spare;
  void watch(int socket, std::uint64_t id, std::uint32_t events, bool is_new);
  [[nodiscard]] bool answer_at_once(std::uint64_t connection, std::uint32_t stream, int status, std::string& body);
  Connection* at_work = nullptr;              // whose handler runs

 private:
  void look_at_clock();
  void accept_all();
  void join(Newcomer newcomer);
  void tick();
  void finish();
  void end(std::uint64_t id);
  [[nodiscard]] Connection* find(std::uint64_t id);

  struct Slot {
    std::uint32_t generation = 1;
    std::unique_ptr<Connection> connection;
  };
  Shared& shared_;
  const std::shared_ptr<Inbox> inbox_;
  picket::UniqueFd epoll_;
  int listener_ = -1;
  bool pauses_accepting_ = false;
  std::vector<std::shared_ptr<Inbox>> loops_;
  std::size_t next_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t count_ = 0;
  std::vector<char> scratch_;
  std::string date_;
  std::int64_t now_ms_ = 1, date_of_ = 0, last_tick_ = 0;
};

}  // namespace ksn_server
