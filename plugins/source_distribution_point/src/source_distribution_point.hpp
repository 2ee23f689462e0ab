// The plugin: which points are for this device, and what this device needs of them.
#pragma once

#include <picket/plugin.hpp>

#include <boost/json/array.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "curl_source/desk.hpp"
#include "point_transfer.hpp"
#include "settings.hpp"

namespace source_distribution_point {

class SourceDistributionPoint {
 public:
  explicit SourceDistributionPoint(picket::plugin::Host host)
      : host_(host), desk_(host, "distribution point", [this](curl_source::Order order) { return make(std::move(order)); }) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop() { desk_.stop(); }
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request) { desk_.on_request(request_id, request); }
  void on_credit(std::uint64_t request_id, std::uint64_t bytes) { desk_.on_credit(request_id, bytes); }
  void on_cancel(std::uint64_t request_id) { desk_.on_cancel(request_id); }
  void on_reply(std::uint64_t token, picket_status status, const picket::plugin::Message& reply);
  void on_timer(std::uint64_t) { ask_demand(); }

 private:
  [[nodiscard]] curl_source::Outcome<std::unique_ptr<curl_source::Transfer>> make(curl_source::Order order);
  [[nodiscard]] curl_source::Outcome<std::vector<Candidate>> candidates(const picket::source::v1::Source& source);
  void take(Settings settings);
  void ask_demand();
  void ask_demand(const std::string& after);
  [[nodiscard]] const Device& device();
  [[nodiscard]] std::string demand_of_point(const picket::source::v1::Wanted& wanted);

  picket::plugin::Host host_;
  Settings settings_;
  std::shared_ptr<Points> points_ = std::make_shared<Points>();
  std::shared_ptr<Announced> announced_ = std::make_shared<Announced>();
  std::shared_ptr<Announced> announced_of_point_ = std::make_shared<Announced>();  // that runs on this computer
  Device device_;
  std::chrono::steady_clock::time_point looked_at_{};
  std::string demand_;             // what is announced: JSON; empty: not known yet
  boost::json::array wanted_;      // the same, of the answers that came so far
  bool asking_ = false;
  curl_source::Desk desk_;
};

}  // namespace source_distribution_point
