// The one thread on which KSN's messages go out and come back.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace ksn_channel {

struct Road {
  std::string base_url;                  // https://host:port; http only to this computer itself
  std::string certificate{};             // PEM of the authority, empty: the system's
  std::string proxy{};                   // web proxy on the way: a URL, "system"; empty: none
  std::vector<std::string> resolvers{};  // asked when the system's DNS does not know the name

  bool operator==(const Road&) const = default;
};
// Code::invalid says what is wrong with it.
[[nodiscard]] picket::Result<> check_road(const Road& road);

struct Answer {
  int status = 0;
  std::string body;
  std::string protocol;                  // "HTTP/2", "HTTP/1.1"
  std::chrono::milliseconds took{0};
};

class Channel {
 public:
  // On the channel's thread; must not block for long. It may post and cancel.
  using Done = std::function<void(picket::Result<Answer>)>;

  [[nodiscard]] static picket::Result<std::unique_ptr<Channel>> start();
  ~Channel();  // cancels all and joins; not on the channel's thread
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // POST base_url + path, application/x-protobuf. `done` comes exactly once: an answer of any status, or Code::timeout (the deadline),
  // unavailable (no connection), untrusted (certificate), too_large (more than kMostReplyBytes), cancelled, busy (too much waits).
  std::uint64_t post(const Road& road, std::string_view path, std::string body, std::chrono::milliseconds deadline, Done done);
  // Nothing happens when it is answered already.
  void cancel(std::uint64_t id);

 private:
  class Loop;
  explicit Channel(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace ksn_channel
