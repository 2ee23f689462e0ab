// The plugin: settings, the folder, the server, and what is asked of it over the bus.
#pragma once

#include <picket/plugin.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "asker.hpp"
#include "demand.hpp"
#include "downloads.hpp"
#include "seat/seat.hpp"
#include "server.hpp"
#include "settings.hpp"
#include "store.hpp"

namespace distribution_point {

class DistributionPoint {
 public:
  explicit DistributionPoint(picket::plugin::Host host);

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop();
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request);
  void on_stream(std::uint64_t token, std::string_view chunk) { asker_.on_stream(token, chunk); }
  void on_reply(std::uint64_t token, picket_status status, const picket::plugin::Message& reply) { asker_.on_reply(token, status, reply); }
  void on_credit(std::uint64_t request_id, std::uint64_t bytes);
  void on_cancel(std::uint64_t request_id);
  void on_timer(std::uint64_t id);

 private:
  picket_status failed(const picket::Error& error) const;
  [[nodiscard]] picket::Result<> open();
  [[nodiscard]] picket::Result<> check_server() const;
  void close();
  void close_folder();
  [[nodiscard]] picket::Result<> open_server(picket::plugin::Sockets inherited = {});
  void serve(std::shared_ptr<const Catalogue> catalogue);
  [[nodiscard]] ApiAnswer on_post(const picket::Address& from, std::string_view path, std::string_view body);
  void answer_status(std::uint64_t request_id);

  // What the server's threads need of the settings.
  struct Gate {
    bool open = true, moved = false;     // moved: the next version takes wishes
    std::vector<picket::AddressRange> scope;
  };
  void set_gate();

  picket::plugin::Host host_;
  const std::string instance_;           // random, of this process: a state folder may be a copy, and two points with one name would take each other for themselves (chain.hpp)
  picket::plugin::Seat seat_;            // another version of this plugin may have the folder and the ports, and give them to this one
  Settings settings_;
  std::shared_mutex gate_mutex_;
  Gate gate_;
  picket::plugin::Asker asker_;
  std::string unsupported_;              // why this computer cannot be a point, when it cannot
  std::unique_ptr<Store> store_;
  std::unique_ptr<DemandBook> demand_;
  std::atomic<std::uint64_t> refused_wishes_{0};   // since the start
  std::mutex server_mutex_;              // downloads publish while apply may exchange the server
  std::shared_ptr<const Catalogue> served_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Downloads> downloads_;
};

}  // namespace distribution_point
