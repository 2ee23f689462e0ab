// The plugin: settings, keys, the server in front of the service, and its status on the bus.
#pragma once

#include <picket/plugin.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "ksn_server/server.hpp"
#include "seat/seat.hpp"
#include "service.hpp"
#include "settings.hpp"
#include "workers.hpp"

namespace ksn_service {

class KsnService {
 public:
  explicit KsnService(picket::plugin::Host host) : host_(host), seat_(host, kSeatTimer) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop();
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request);
  void on_timer(std::uint64_t id);

 private:
  static constexpr std::uint64_t kSeatTimer = 2;

  [[nodiscard]] picket::Result<> open();
  void open_or_try_later();
  void close();
  // The key file may be another one behind the same name (picket-ksn key change).
  void look_after_key();
  void look_after_certificate();
  picket_status failed(const picket::Error& error) const;

  picket::plugin::Host host_;
  picket::plugin::Seat seat_;  // another version of this plugin may have the port, and give it to this one
  Settings settings_;
  std::string why_not_;        // it serves; empty: it does, stands by or is off
  std::int64_t since_ = 0;
  std::uint64_t looks_ = 0;
  std::filesystem::file_time_type key_time_{};
  // Destroyed from the last to the first: no request comes, then no job runs, then the service goes.
  std::unique_ptr<Service> service_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<ksn_server::Server> server_;
};

}  // namespace ksn_service
