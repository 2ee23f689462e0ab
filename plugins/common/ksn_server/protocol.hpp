// One connection's HTTP, without a socket: bytes in, requests out; answers in, bytes out. HTTP/1.1 and HTTP/2 behind one interface.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ksn_server {

inline constexpr std::size_t kMostHead = 8192;            // bytes of a request's head
inline constexpr std::size_t kEnoughOut = 256u << 10;     // with so much unsent, nothing more is read or made

// Memory that connections share: those of one peer, as a part of what all of them have.
struct Budget {
  [[nodiscard]] bool take(std::size_t bytes);  // false: there is no room
  void give_back(std::size_t bytes);
  std::atomic<std::size_t> held{0};
  std::size_t most = 0;
  Budget* all = nullptr;                       // none: this is all
};

// Whose requests these are. Called by feed() and go_on().
class Upper {
 public:
  virtual ~Upper() = default;
  // A POST; the answer comes with Protocol::answer, now or later. Views are borrowed for the call.
  virtual void on_post(std::uint32_t stream, std::string_view path, std::string_view body) = 0;
  // A GET or HEAD; false: there is no such page.
  [[nodiscard]] virtual bool page(std::string_view path, std::string& out) = 0;
  [[nodiscard]] virtual std::string_view date() const = 0;  // "Sun, 22 Nov 2026 00:00:00 GMT"
  [[nodiscard]] virtual std::int64_t now_ms() const = 0;    // coarse, steady, never 0
};

class Protocol {
 public:
  virtual ~Protocol();

  virtual void feed(std::string_view bytes) = 0;
  // After out() has been taken, or an answer came: works on what waits.
  virtual void go_on() = 0;
  // The next request is the last one; is_over() once those are answered that were taken, and once `is_silent`: no other came for a while.
  virtual void finish(bool is_silent) = 0;
  // Of a stream that is gone: nothing happens.
  virtual void answer(std::uint32_t stream, int status, std::string body) = 0;

  [[nodiscard]] std::string& out() { return out_; }
  [[nodiscard]] bool is_over() const { return over_; }           // close it once out() is sent
  [[nodiscard]] bool is_broken() const { return broken_; }       // because it spoke no HTTP
  [[nodiscard]] virtual bool takes_more() const = 0;             // false: read nothing before out() is taken or an answer comes
  // now_ms() of when the oldest request began that is not whole yet; 0: there is none.
  [[nodiscard]] virtual std::int64_t receiving_since() const = 0;
  // The same of the oldest answer that waits here for the client to take it. What stands in out() does not count.
  [[nodiscard]] virtual std::int64_t sending_since() const = 0;
  [[nodiscard]] virtual bool is_answering() const = 0;           // somebody works on an answer

 protected:
  Protocol(Upper& upper, Budget& budget) : upper_(upper), budget_(budget) {}
  [[nodiscard]] bool hold(std::size_t bytes);  // false: there is no room
  void release(std::size_t bytes);

  Upper& upper_;
  Budget& budget_;
  std::string out_;
  bool over_ = false, broken_ = false;

 private:
  std::size_t held_ = 0;
};

[[nodiscard]] std::unique_ptr<Protocol> make_http1(Upper& upper, Budget& budget);
[[nodiscard]] std::unique_ptr<Protocol> make_http2(Upper& upper, Budget& budget);

// A Refusal for what the server refuses itself: the why that fits the status.
[[nodiscard]] std::string refusal_of(int status, std::string_view text);

}  // namespace ksn_server
