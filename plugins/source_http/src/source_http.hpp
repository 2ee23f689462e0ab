// The plugin: its settings, and what a request means with them.
#pragma once

#include <picket/plugin.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "curl_source/common_settings.hpp"
#include "curl_source/desk.hpp"
#include "curl_source/http_transfer.hpp"

namespace source_http {

struct Settings {
  bool allow_http = true;
  curl_source::CommonSettings common{.proxy = "system"};
};
[[nodiscard]] curl_source::Outcome<Settings> parse_settings(std::string_view json);

class SourceHttp {
 public:
  explicit SourceHttp(picket::plugin::Host host) : host_(host), desk_(host, "http", [this](curl_source::Order order) { return make(std::move(order)); }) {}

  picket_status start(std::string_view settings_json, std::uint64_t revision);
  picket_status apply(std::string_view settings_json, std::uint64_t revision);
  void stop() { desk_.stop(); }
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request) { desk_.on_request(request_id, request); }
  void on_credit(std::uint64_t request_id, std::uint64_t bytes) { desk_.on_credit(request_id, bytes); }
  void on_cancel(std::uint64_t request_id) { desk_.on_cancel(request_id); }

 private:
  [[nodiscard]] curl_source::Outcome<std::unique_ptr<curl_source::Transfer>> make(curl_source::Order order);

  picket::plugin::Host host_;
  Settings settings_;
  curl_source::Desk desk_;
  const std::shared_ptr<curl_source::Shunned> shunned_ = std::make_shared<curl_source::Shunned>();
  std::set<std::string> told_about_http_;  // sources of which the log says that they use plain http
};

}  // namespace source_http
