// One fetch or probe: the bytes on their way from libcurl to the asker, and the answer. What a protocol does differently is in classes made
// from this one. Lives on the loop's thread.
#pragma once

#include <picket/stream.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "curl_source/failure.hpp"
#include "curl_source/handles.hpp"
#include "picket/source/v1/source.pb.h"

namespace curl_source {

using Clock = std::chrono::steady_clock;
using picket::plugin::Answer;

struct Order {
  picket::plugin::Host host;                  // for the log
  picket::source::v1::FetchRequest request;  // of a probe: source and path only
  bool probe = false;
  std::shared_ptr<Answer> answer;
};

class Resolver;
struct LookUp;

class Transfer {
 public:
  explicit Transfer(Order order);
  virtual ~Transfer() = default;
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // Makes the handle ready; the error is final.
  [[nodiscard]] Outcome<> prepare();
  [[nodiscard]] CURL* easy() const { return easy_.get(); }
  [[nodiscard]] Answer& answer() const { return *order_.answer; }
  // For names that the system's DNS does not know. Lives longer than the transfer runs.
  void use_resolver(Resolver& resolver);
  [[nodiscard]] bool is_over() const { return ended_ && !look_up_ && buffered() == 0; }
  [[nodiscard]] bool is_running() const { return !ended_; }  // libcurl has it

  // An attempt has ended, and the handle is still in the multi handle, which knows its connection.
  virtual void look_at_connection() {}

  enum class Step { done, again };
  // libcurl is through with the handle, which is out of the multi handle. again: another attempt begins, add it once more.
  [[nodiscard]] Step ended(CURLcode code);

  // Passes on what waits, resumes when there is room, looks for a stall.
  enum class Next { go_on, end, again };
  struct Serviced {
    Clock::time_point until;  // wants to be called again at the latest
    Next next = Next::go_on;
  };
  [[nodiscard]] Serviced service(Clock::time_point now);

  // Once over: the final answer.
  void finish();
  void fail(const Failure& failure);

 protected:
  // ---- the protocol's part
  // Sets the address and the options of the first attempt.
  [[nodiscard]] virtual Outcome<> begin() = 0;
  // Before the first byte of an attempt, or at the end of an empty one: calls take_from or refuse, or neither when it is no content.
  virtual void look_at_head() = 0;
  // An attempt has ended, and not by us: again, or done after refuse() unless all is well.
  [[nodiscard]] virtual Step judge(CURLcode code) = 0;
  // The attempt failed: true when another address or another way is set and may be tried, which goes on at position() where bytes were passed
  // on already. False: that is the end, and the failure may be given more words.
  [[nodiscard]] virtual bool try_another(Failure&) { return false; }

  // How long libcurl may be left alone when no socket tells anything.
  [[nodiscard]] virtual std::chrono::milliseconds look_again() const { return std::chrono::seconds(10); }
  // Whether we end it ourselves when no connection is there in time; libcurl would a little later.
  [[nodiscard]] virtual bool watches_connecting() const { return false; }

  // ---- for the protocol's part
  [[nodiscard]] const Order& order() const { return order_; }
  [[nodiscard]] const std::string& address() const { return url_; }  // where this attempt goes; no secrets
  [[nodiscard]] std::string curl_text(CURLcode code) const { return error_[0] != '\0' ? error_ : ::curl_easy_strerror(code); }
  [[nodiscard]] bool body_began() const { return body_began_; }
  [[nodiscard]] std::uint64_t taken() const { return taken_; }  // by this attempt and those before it
  [[nodiscard]] std::uint64_t position() const { return taken_ > 0 ? offset_ + taken_ : order_.request.offset(); }
  [[nodiscard]] std::uint64_t whole_size() const { return size_; }
  [[nodiscard]] bool page_was_too_long() const;
  void go_to(std::string address);
  void take_from(std::uint64_t offset, std::uint64_t size);  // what comes is content, from this offset on; size of the whole file, 0: not known
  // What comes from the next attempt on is gzip of the content: it is kept until the attempt has ended well, and judge() unpacks it. False: it was none,
  // or too long; nothing was passed on.
  void expect_packed(bool packed) { packed_ = packed; }
  [[nodiscard]] bool is_packed() const { return packed_; }
  [[nodiscard]] bool unpack();
  void refuse(Failure failure);
  void note(std::string text);                               // for the log, and for `explain`
  void came_from_point(std::string names) { point_ = std::move(names); }
  template <class Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = ::curl_easy_setopt(easy_.get(), option, value);
    if (bad_option_ == CURLE_OK) bad_option_ = code;
  }
  void set_ok(CURLcode code) {
    if (bad_option_ == CURLE_OK) bad_option_ = code;
  }

 private:
  static std::size_t on_data_c(char* data, std::size_t size, std::size_t count, void* self);
  static int on_connected_c(void* self, char*, char*, int, int);
  [[nodiscard]] std::size_t on_data(std::string_view data);
  [[nodiscard]] std::size_t buffered() const { return buffer_.size() - sent_of_buffer_; }
  [[nodiscard]] Step once_more();
  [[nodiscard]] bool must_look_up(CURLcode code);
  [[nodiscard]] Step looked_up();
  void use_addresses(const std::vector<std::string>& addresses);
  [[nodiscard]] bool stalls(Clock::time_point now, Clock::time_point& again);
  [[nodiscard]] std::chrono::milliseconds connect_timeout() const;
  void set_common_options();
  void flush(Clock::time_point now);
  void begin_attempt();

  Order order_;
  Easy easy_;
  CURLcode bad_option_ = CURLE_OK;
  std::string url_;
  char error_[CURL_ERROR_SIZE] = {};
  const Clock::time_point began_ = Clock::now();
  std::vector<std::string> notes_;
  std::string point_;
  Resolver* resolver_ = nullptr;
  std::shared_ptr<LookUp> look_up_;  // while an answer is waited for
  std::string looked_up_host_;       // each host once
  CURLcode look_up_code_ = CURLE_OK;
  List addresses_;

  // Of this attempt:
  Clock::time_point attempt_began_{};
  bool head_seen_ = false, wanted_body_ = false, body_began_ = false;
  std::uint64_t discarded_ = 0;
  bool have_failure_ = false, enough_ = false;
  Failure failure_;
  std::uint64_t offset_ = 0;  // where the stream begins
  std::uint64_t size_ = 0;    // of the whole file, 0: not known
  std::uint64_t taken_ = 0;   // bytes put into the stream

  bool packed_ = false;
  std::string packed_bytes_;

  std::string buffer_;
  std::size_t sent_of_buffer_ = 0;
  Clock::time_point last_flush_ = Clock::now();
  std::uint64_t grants_seen_ = 0;
  bool paused_ = false, ended_ = false;

  // Stall: bytes within a window that begins with the connection and pauses with us, and the last of them.
  bool connected_ = false;
  Clock::time_point window_began_{}, last_data_{};
  std::uint64_t window_bytes_ = 0;
};

}  // namespace curl_source
