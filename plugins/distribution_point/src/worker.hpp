// One thread of the server: its event loop, its connections, its open files. All members belong to that thread unless said.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/files.hpp"
#include "server.hpp"
#include "tls_server/served_certificate.hpp"

namespace distribution_point {

namespace asio = boost::asio;
class Connection;

// A file that was opened, with its bytes when it is small. Outlives its place in the cache while somebody sends it.
struct OpenFile {
  picket::UniqueFd fd;
  std::string content;
};

// Shared by all threads.
struct Shared {
  ServerSettings settings;
  Server::Parts parts;
  ServerCounters counters;
  Bandwidth bandwidth;
  std::unique_ptr<tls_server::ServedCertificate> certificate;   // of https

  explicit Shared(const ServerSettings& s, Server::Parts p) : settings(s), parts(std::move(p)), bandwidth(s.bandwidth) {}
  // False: too many from this address, or in all.
  [[nodiscard]] bool admit(const picket::Address& address);
  void leave(const picket::Address& address);

  std::atomic<std::uint64_t> read_bytes{0};   // see ServerSettings::most_read

 private:
  struct Hash {
    std::size_t operator()(const picket::Address& a) const { return std::hash<std::string_view>()({reinterpret_cast<const char*>(a.bytes.data()), a.bytes.size()}); }
  };
  std::mutex mutex_;
  std::unordered_map<picket::Address, std::uint32_t, Hash> per_address_;
};

class Worker {
 public:
  explicit Worker(Shared& shared);
  ~Worker();

  void run();                       // the thread's body
  void stop();                      // any thread
  void adopt(asio::ip::tcp::socket socket, const picket::Address& from, bool tls);
  // The server ends: each answer from here on is the last of its connection.
  void drain() { is_draining_ = true; }
  [[nodiscard]] bool is_draining() const { return is_draining_; }
  void close_idle();
  // Sends 503 and closes: what does not fit must not wait.
  static void turn_away(asio::ip::tcp::socket socket, bool tls);

  [[nodiscard]] asio::io_context& io() { return io_; }
  [[nodiscard]] Shared& shared() { return shared_; }
  [[nodiscard]] const Catalogue& catalogue() const { return *catalogue_; }
  void use(std::shared_ptr<const Catalogue> catalogue);
  // nullptr: gone, or no file descriptor is left.
  [[nodiscard]] std::shared_ptr<OpenFile> open(const Entry& entry);

  // Coarse: of the last tick, a second ago at most.
  [[nodiscard]] std::chrono::steady_clock::time_point now() const { return now_; }
  [[nodiscard]] std::string_view date() const { return date_; }
  [[nodiscard]] int day() const { return day_; }
  [[nodiscard]] int minute() const { return minute_; }
  [[nodiscard]] char* scratch() { return scratch_.data(); }
  static constexpr std::size_t kScratch = 65'536;

  using Members = std::list<std::weak_ptr<Connection>>;
  void remove(Members::iterator member) { members_.erase(member); }

 private:
  void tick();
  void look_at_clocks();

  Shared& shared_;
  asio::io_context io_{1};
  asio::steady_timer ticker_{io_};
  std::shared_ptr<const Catalogue> catalogue_;
  std::unordered_map<const Entry*, std::shared_ptr<OpenFile>> files_;
  std::uint64_t cached_bytes_ = 0;
  Members members_;
  std::chrono::steady_clock::time_point now_;
  std::string date_;
  int day_ = 0, minute_ = 0;
  std::vector<char> scratch_;
  bool stopping_ = false, is_draining_ = false;
};

}  // namespace distribution_point
