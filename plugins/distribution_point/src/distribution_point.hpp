// The plugin: settings, the folder, the server, and what is asked of it over the bus.
#pragma once

#include <picket/plugin.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "demand.hpp"
#include "server.hpp"
#include "settings.hpp"
#include "store.hpp"

namespace distribution_point {

class DistributionPoint {
 public:
  explicit DistributionPoint(picket::plugin::Host host) : host_(host) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop();
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request);
  void on_timer(std::uint64_t id);

 private:
  picket_status failed(const picket::Error& error) const;
  [[nodiscard]] picket::Result<> open_folder();
  [[nodiscard]] picket::Result<> open_server();
  [[nodiscard]] picket::Result<> serve_published();
  [[nodiscard]] ApiAnswer on_post(const picket::Address& from, std::string_view path, std::string_view body);
  void answer_status(std::uint64_t request_id);

  // What the server's threads need of the settings.
  struct Gate {
    bool open = true;
    std::vector<picket::AddressRange> scope;
  };
  void set_gate();

  picket::plugin::Host host_;
  Settings settings_;
  std::mutex gate_mutex_;
  Gate gate_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<DemandBook> demand_;
  std::unique_ptr<Server> server_;
};

}  // namespace distribution_point
