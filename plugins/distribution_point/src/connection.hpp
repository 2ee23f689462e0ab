// One connection, from the first byte to the last: read a head, answer it, again. On its worker's thread only.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "response.hpp"
#include "worker.hpp"

namespace distribution_point {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Worker& worker, asio::ip::tcp::socket socket, const picket::Address& from);
  ~Connection();

  void start(Worker::Members::iterator self, bool tls);
  void close();           // at once; pending operations end with an error and do nothing
  void close_if_idle();   // between requests, with nothing more of the client at hand
  void check_deadline();  // each second

 private:
  enum class State { handshake, idle, head, body, sending, lingering, closed };
  enum class Io { done, blocked_read, blocked_write, over };

  void handshake();
  void read();
  void read_tls();
  void got(std::size_t bytes);
  void work();                         // parses and answers until something must be waited for
  [[nodiscard]] bool make_room();
  void use_large(std::vector<char> buffer);
  void forget_read(std::size_t bytes);
  void answer();                       // the parsed request, whose body has arrived
  void refuse(int status, std::string_view why);
  void write();
  [[nodiscard]] Io write_out();
  [[nodiscard]] Io write_file();
  [[nodiscard]] Io send(const char* data, std::size_t size, bool more, std::size_t& sent);
  [[nodiscard]] Io send_records(const char* data, std::size_t size, std::size_t& sent);
  [[nodiscard]] Io tls_result(int result);
  void choose_rule();
  void wait_then(asio::ip::tcp::socket::wait_type what, void (Connection::*next)());
  void pause_until(std::chrono::steady_clock::time_point when);
  void sent_all();
  void linger();
  void enter(State state, std::chrono::seconds limit);

  Worker& worker_;
  asio::ip::tcp::socket socket_;
  const picket::Address from_;
  Worker::Members::iterator self_;
  tls_server::Connection tls_;
  State state_ = State::idle;
  std::chrono::steady_clock::time_point deadline_;

  // What was read and not used yet: buffer_[0, have_). Inside the object while it is small, which is always for a sane client.
  std::array<char, 1024> small_;
  std::vector<char> large_;
  std::size_t have_ = 0;
  [[nodiscard]] char* buffer() { return large_.empty() ? small_.data() : large_.data(); }
  [[nodiscard]] std::size_t capacity() const { return large_.empty() ? small_.size() : large_.size(); }

  Request request_;
  std::size_t head_bytes_ = 0;         // of the request that is being answered or whose body is awaited

  std::string out_;                    // head, or all of a small answer
  std::size_t out_at_ = 0;
  std::shared_ptr<OpenFile> file_;     // follows out_
  std::uint64_t file_at_ = 0, file_left_ = 0;
  std::size_t pending_record_ = 0;     // TLS: bytes of the record that waits for the socket
  std::uint64_t window_sent_ = 0;      // since the deadline was set
  bool close_after_ = false, has_answered_ = false;
  bool is_bulk_ = false;               // rules slow it
  std::pair<int, int> chosen_at_;      // day and minute: a window may end, or begin, in the middle of an answer
  std::optional<std::size_t> slowed_by_;
  std::unique_ptr<asio::steady_timer> pause_;
};

}  // namespace distribution_point
