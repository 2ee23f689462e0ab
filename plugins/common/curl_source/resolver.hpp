// Asks other resolvers for a name that the system's DNS could not resolve. With c-ares, on the loop's thread; never waits.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "curl_source/failure.hpp"

namespace curl_source {

// "9.9.9.9", "9.9.9.9:5353", "2620:fe::fe" or "[2620:fe::fe]:5353". The text of the error says what is wrong with it.
[[nodiscard]] Outcome<> check_resolver(std::string_view address);

[[nodiscard]] bool is_ip_address(const std::string& host);

// One question, shared by who asked and the resolver: whoever goes first lets go of it.
struct LookUp {
  bool is_over = false;
  std::vector<std::string> addresses;  // none: `why`
  std::string why;
};

class Resolver {
 public:
  explicit Resolver(std::vector<std::string> servers);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  [[nodiscard]] bool is_on() const { return !servers_.empty(); }
  [[nodiscard]] std::string names() const;  // of the resolvers, for texts

  [[nodiscard]] std::shared_ptr<LookUp> ask(const std::string& host);
  // What it found within the last minute; empty: nothing.
  [[nodiscard]] const std::vector<std::string>& known(const std::string& host) const;

  // For the loop: what to wait for, how long at most, and what came.
  void add_to(std::vector<curl_waitfd>& sockets) const;
  [[nodiscard]] std::chrono::milliseconds wait_at_most(std::chrono::milliseconds otherwise) const;
  void process();

 private:
  struct Question;
  struct Known {
    std::vector<std::string> addresses;
    std::chrono::steady_clock::time_point until;
  };
  class Channel;

  const std::vector<std::string> servers_;
  std::map<std::string, Known> known_;
  std::size_t open_ = 0;               // questions without an answer yet
  std::unique_ptr<Channel> channel_;  // last: its end answers what is open
};

}  // namespace curl_source
