// The plugin: its settings, and what a request means with them.
#pragma once

#include "curl_source/curl_plugin.hpp"
#include "curl_source/packed.hpp"
#include "ftp_target.hpp"

namespace source_ftp {

class SourceFtp : public curl_source::CurlPlugin<Settings> {
 public:
  explicit SourceFtp(picket::plugin::Host host) : CurlPlugin(host, "ftp", parse_settings, [this](curl_source::Order order) { return make(std::move(order)); }) {}

 private:
  [[nodiscard]] curl_source::Outcome<std::unique_ptr<curl_source::Transfer>> make(curl_source::Order order);
  void tell_once(const Target& target);  // that a source is not encrypted

  const std::shared_ptr<curl_source::PlainPlaces> plain_places_ = std::make_shared<curl_source::PlainPlaces>();
};

}  // namespace source_ftp
