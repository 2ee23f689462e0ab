// One connection, from the first byte to the last: read a head, answer it, again. On its worker's thread only.
#pragma once

#include <memory>
#include <string_view>

#include "read_buffer.hpp"
#include "response.hpp"
#include "sending.hpp"
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
  using Io = Sending::Io;

  void handshake();
  void read();
  void read_tls();
  void got(std::size_t bytes);
  void work();                         // parses and answers until something must be waited for
  void answer();                       // the parsed request, whose body has arrived
  void refuse(int status, std::string_view why);
  void send();                         // the answer
  void wait_then(asio::ip::tcp::socket::wait_type what, void (Connection::*next)());
  void wait_then(Io blocked, void (Connection::*next)());  // over: closes
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

  ReadBuffer read_;
  Request request_;
  std::size_t head_bytes_ = 0;         // of the request that is being answered or whose body is awaited
  Sending sending_;
  bool close_after_ = false, has_answered_ = false;
  std::unique_ptr<asio::steady_timer> pause_;
};

}  // namespace distribution_point
