// The plugin: requests from the bus to the client, and its state to the bus. Plugin thread.
#pragma once

#include <picket/plugin.hpp>

#include <memory>
#include <string>

#include "client.hpp"

namespace ksn_client {

class KsnClient {
 public:
  explicit KsnClient(picket::plugin::Host host) : host_(host) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop();
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request);
  void on_timer(std::uint64_t timer);

 private:
  [[nodiscard]] Result<std::string> load(std::string_view key) const;
  void publish();
  void tell_ignored();
  [[nodiscard]] bool concern(std::string_view key, std::string_view level, std::string_view text);  // false: again soon
  void activate(std::uint64_t request_id, std::string_view payload);
  template <class Message>
  void answer(std::uint64_t request_id, Result<Message> reply) const;

  picket::plugin::Host host_;
  std::unique_ptr<Client> client_;
  std::string published_, reported_, ignored_;
};

}  // namespace ksn_client
