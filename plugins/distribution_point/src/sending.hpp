// An answer on its way to the client: its head, then perhaps bytes of a file, as fast as the rules allow. On its worker's thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "worker.hpp"

namespace distribution_point {

class Sending {
 public:
  enum class Io { done, blocked_read, blocked_write, paused, over };

  // `tls`: empty for plain HTTP. All of them outlive it.
  Sending(Worker& worker, asio::ip::tcp::socket& socket, const tls_server::Connection& tls, const picket::Address& from) : worker_(worker), socket_(socket), tls_(tls), from_(from) {}

  // The next answer. Returns where its head goes, or all of it where it is small.
  [[nodiscard]] std::string& begin();
  // What follows the head.
  void follow_with(std::shared_ptr<OpenFile> file, std::uint64_t first, std::uint64_t length);
  // blocked: call it again when the socket is ready. paused: at resumes_at(). over: the connection is lost, or the file became shorter.
  [[nodiscard]] Io go_on();
  [[nodiscard]] std::chrono::steady_clock::time_point resumes_at() const { return resumes_at_; }
  // Sent, or given up: an idle connection keeps little.
  void end();

  // Bytes since begin(), or since the last call.
  [[nodiscard]] std::uint64_t take_sent() { return std::exchange(sent_, 0); }

  // What OpenSSL's answer says.
  [[nodiscard]] static Io tls_result(const tls_server::Connection& tls, int result);

 private:
  [[nodiscard]] Io write_head();
  [[nodiscard]] Io write_file();
  [[nodiscard]] Io send(const char* data, std::size_t size, bool more, std::size_t& sent);
  [[nodiscard]] Io send_from_file(std::size_t may, std::size_t& sent);
  void count(std::size_t sent);
  void choose_rule();

  Worker& worker_;
  asio::ip::tcp::socket& socket_;
  const tls_server::Connection& tls_;
  const picket::Address& from_;

  std::string head_;
  std::size_t head_at_ = 0;
  std::shared_ptr<OpenFile> file_;
  std::uint64_t file_at_ = 0, file_left_ = 0;
  std::size_t pending_record_ = 0;     // TLS: bytes of the record that waits for the socket
  std::uint64_t sent_ = 0;
  bool is_bulk_ = false;               // rules slow it
  std::pair<int, int> chosen_at_;      // day and minute: a window may end, or begin, in the middle of an answer
  std::optional<std::size_t> slowed_by_;
  std::chrono::steady_clock::time_point resumes_at_;
};

}  // namespace distribution_point
