// The plugin: its settings, and what a request means with them.
#pragma once

#include <string_view>

#include "curl_source/common_settings.hpp"
#include "curl_source/curl_plugin.hpp"
#include "curl_source/http_transfer.hpp"

namespace source_http {

struct Settings {
  bool allow_http = true;
  curl_source::CommonSettings common{.proxy = "system"};
};
[[nodiscard]] curl_source::Outcome<Settings> parse_settings(std::string_view json);

class SourceHttp : public curl_source::CurlPlugin<Settings> {
 public:
  explicit SourceHttp(picket::plugin::Host host) : CurlPlugin(host, "http", parse_settings, [this](curl_source::Order order) { return make(std::move(order)); }) {}

 private:
  [[nodiscard]] curl_source::Outcome<std::unique_ptr<curl_source::Transfer>> make(curl_source::Order order);

  const std::shared_ptr<curl_source::PlainPlaces> plain_places_ = std::make_shared<curl_source::PlainPlaces>();
  const std::shared_ptr<curl_source::Shunned> shunned_ = std::make_shared<curl_source::Shunned>();
};

}  // namespace source_http
