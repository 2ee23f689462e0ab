// The line to KSN: the roads that are allowed, in their order, each with its breaker. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "breaker.hpp"
#include "ksn_channel/channel.hpp"
#include "picket/ksn/v1/wire.pb.h"
#include "settings.hpp"

namespace ksn_client {

struct Way {
  ksn_channel::Road road;
  bool is_proxy = false;
  std::string name;  // "proxy HOST:PORT", "server HOST:PORT"
};

class Line {
 public:
  using Clock = std::chrono::steady_clock;
  // What became of an attempt at this path, for the status. On the channel's thread, or within post.
  using Watch = std::function<void(const Way* way, std::string_view path, const Error* failure)>;  // failure nullptr: an exchange; way nullptr: no road at all

  Line(ksn_channel::Channel& channel, Watch watch) : channel_(channel), watch_(std::move(watch)) {}

  // True: other roads than before. A road that stays goes on resting, unless we are another to it (`anew`: our licence, or whose KSN it is): a refusal
  // was said to who we were. What comes back on a road that is gone changes nothing any more but for who asked, and nothing more goes out on it.
  [[nodiscard]] bool use(std::vector<Way> ways, std::chrono::seconds first_rest, std::chrono::seconds longest_rest, std::string why_none, bool anew);
  void forget_failures();  // no road rests any more

  // What becomes of one message. `goes` is told each road that it goes out on; it must not post. An answer of status 200 is given to `accept`,
  // whose error makes it a failure of the road: another one is tried while there is time. `done` comes once: OK when accepted, else why
  // not. Code::denied: the licence is refused; conflict: NOT_TAKEN.
  using Goes = std::function<void(const Way& way)>;
  using Accept = std::function<Result<>(const ksn_channel::Answer& answer, const Way& way)>;
  using Done = std::function<void(Result<>)>;
  // A road that does not answer by the deadline has failed: it is our own limit for KSN, not the patience of who asks.
  void post(std::string_view path, std::string body, std::chrono::milliseconds deadline, Goes goes, Accept accept, Done done);

  // Drops what is under way: each `done` comes with Code::cancelled, soon. New posts may follow at once.
  void cancel_all();

  struct Tried {
    Way way;
    Result<ksn_channel::Answer> answer;
  };
  // Every road in use, whatever its breaker says; the breakers hear only of what works.
  void try_all(std::string_view path, const std::string& body, std::chrono::milliseconds deadline, const Goes& goes, std::function<void(std::vector<Tried>)> done);

  [[nodiscard]] std::string in_force() const;                         // "proxy HOST:PORT", "servers", "none", and what rests
  [[nodiscard]] std::string why_shut() const;                         // every road rests, or there is none; empty: ask
  [[nodiscard]] std::chrono::milliseconds until_next_attempt() const; // 0: nothing rests

 private:
  struct State {
    Way way;
    Breaker breaker;
  };
  struct Message;
  void next(const std::shared_ptr<Message>& message);
  void answered(const std::shared_ptr<Message>& message, Result<ksn_channel::Answer> answer);
  void finish(const std::shared_ptr<Message>& message, Result<> result);
  [[nodiscard]] double spread();
  [[nodiscard]] bool is_in_use(const std::shared_ptr<State>& state) const;  // under the lock

  ksn_channel::Channel& channel_;
  const Watch watch_;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<State>> states_;
  std::string why_none_;
  std::set<std::shared_ptr<Message>> open_;
  std::set<std::uint64_t> trying_;  // the channel's ids of try_all
  std::uint32_t random_ = 0x2545F491;
};

// A Refusal in words, and what it means: Code::denied licence, busy too many, unavailable, conflict not taken, invalid the rest.
struct Refused {
  Error error;
  std::chrono::seconds rest{0};
};
[[nodiscard]] Refused refused_by(const ksn_channel::Answer& answer, const Way& way);
// What kept `way` from answering, told under its name; the channel tells it under its URL.
[[nodiscard]] Error kept_from(Error error, const Way& way);

}  // namespace ksn_client
