// One fetch or probe: the request, the bytes on their way from libcurl to the asker, and the answer. Lives on the loop's thread.
#pragma once

#include <picket/stream.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "handles.hpp"
#include "picket/source/v1/source.pb.h"
#include "target.hpp"
#include "verdict.hpp"

namespace source_http {

using Clock = std::chrono::steady_clock;
using picket::plugin::Answer;

struct Order {
  Target target;
  picket::source::v1::FetchRequest request;  // of a probe: source and path only
  bool probe = false;
  std::shared_ptr<Answer> answer;
};

class Transfer {
 public:
  explicit Transfer(Order order);
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Makes the handle ready; the error is final.
  [[nodiscard]] Outcome<> prepare();
  [[nodiscard]] CURL* easy() const { return easy_.get(); }
  [[nodiscard]] Answer& answer() const { return *order_.answer; }
  [[nodiscard]] bool is_over() const { return ended_ && buffered() == 0; }

  enum class Step { done, again };
  // libcurl is through with the handle, which is out of the multi handle. again: a redirect is to be followed, add it once more.
  [[nodiscard]] Step ended(CURLcode code);

  // Passes on what waits, resumes when there is room, looks for a stall. Returns when it wants to be called again at the latest.
  // False in `go_on`: end the transfer now.
  [[nodiscard]] Clock::time_point service(Clock::time_point now, bool& go_on);

  // Once over: the final answer.
  void finish();
  void fail(Failure failure);

 private:
  static std::size_t on_data_c(char* data, std::size_t size, std::size_t count, void* self);
  static int on_connected_c(void* self, char*, char*, int, int);
  [[nodiscard]] std::size_t on_data(std::string_view data);
  [[nodiscard]] bool look_at_head();  // of the response; false: `failure_` says why it is not taken
  [[nodiscard]] Outcome<> set_options();
  [[nodiscard]] std::string header(const char* name) const;
  [[nodiscard]] std::size_t buffered() const { return buffer_.size() - sent_of_buffer_; }
  void flush(Clock::time_point now);
  void begin_attempt();

  Order order_;
  Easy easy_;
  List headers_;
  std::string url_, ca_file_;
  char error_[CURL_ERROR_SIZE] = {};
  const Clock::time_point began_ = Clock::now();
  unsigned redirects_ = 0;

  // Of this attempt:
  bool head_seen_ = false, wanted_body_ = false, body_began_ = false;
  std::uint64_t discarded_ = 0;
  bool have_failure_ = false, enough_ = false;
  Failure failure_;
  std::uint64_t offset_ = 0;  // where the stream begins
  std::uint64_t size_ = 0;    // of the whole file, 0: not known
  std::uint64_t taken_ = 0;   // bytes put into the stream

  std::string buffer_;
  std::size_t sent_of_buffer_ = 0;
  Clock::time_point last_flush_ = Clock::now();
  std::uint64_t grants_seen_ = 0;
  bool paused_ = false, ended_ = false;

  // Stall: bytes within a window that begins with the connection and pauses with us.
  bool connected_ = false;
  Clock::time_point window_began_{};
  std::uint64_t window_bytes_ = 0;
};

}  // namespace source_http
