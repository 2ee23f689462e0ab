// One post on its way. Lives on the channel's thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "curl_source/handles.hpp"
#include "curl_source/resolver.hpp"
#include "ksn_channel/channel.hpp"

namespace ksn_channel {

using SteadyTime = std::chrono::steady_clock::time_point;

class Exchange {
 public:
  struct Order {
    std::uint64_t id = 0;
    Road road;
    std::string path, body;
    SteadyTime posted, deadline;
    Channel::Done done;
  };
  explicit Exchange(Order order) : order_(std::move(order)) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  [[nodiscard]] picket::Result<> prepare(curl_source::Easy easy, curl_source::Resolver& resolver);
  [[nodiscard]] CURL* easy() const { return easy_.get(); }
  [[nodiscard]] curl_source::Easy give_back() { return std::move(easy_); }
  [[nodiscard]] std::uint64_t id() const { return order_.id; }
  [[nodiscard]] const std::string& where() const { return order_.road.base_url; }
  [[nodiscard]] const std::vector<std::string>& resolvers() const { return order_.road.resolvers; }
  [[nodiscard]] SteadyTime deadline() const { return order_.deadline; }
  [[nodiscard]] bool is_looking_up() const { return look_up_ != nullptr; }

  // libcurl is through with the handle. False: a name is being looked up elsewhere; `looked_up` goes on.
  [[nodiscard]] bool ended(CURLcode code);
  // True: add the handle again. False while it waits, or when it is over (has_answer).
  [[nodiscard]] bool looked_up();
  [[nodiscard]] bool has_answer() const { return over_; }

  void finish();                       // with what libcurl said
  void finish(picket::Error error);

 private:
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  [[nodiscard]] picket::Error error_of(CURLcode code) const;
  void use_addresses(const std::vector<std::string>& addresses);
  [[nodiscard]] std::chrono::milliseconds left() const;

  Order order_;
  curl_source::Easy easy_;
  curl_source::List headers_, addresses_;
  curl_source::Resolver* resolver_ = nullptr;
  std::shared_ptr<curl_source::LookUp> look_up_;
  std::string url_, host_, port_, body_;
  bool looked_up_once_ = false, too_large_ = false, over_ = false;
  CURLcode code_ = CURLE_OK;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace ksn_channel
