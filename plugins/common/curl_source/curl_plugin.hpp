// What all sources with libcurl are to the host: settings that hold `common`, requests that a desk answers. A source adds `make`.
#pragma once

#include <picket/plugin.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "curl_source/desk.hpp"

namespace curl_source {

template <class Settings>
class CurlPlugin {
 public:
  picket_status start(std::string_view settings_json, std::uint64_t revision) {
    if (const auto status = take(settings_json); status != PICKET_OK) return status;
    told_.clear();
    desk_.start(settings_.common.loop);
    host_.observed(revision, PICKET_HEALTH_HEALTHY);
    return PICKET_OK;
  }
  picket_status apply(std::string_view settings_json, std::uint64_t revision) {
    if (const auto status = take(settings_json); status != PICKET_OK) return status;
    const bool all = desk_.apply(settings_.common.loop);
    host_.observed(revision, PICKET_HEALTH_HEALTHY, all ? "" : "parallel_fetches and fallback_resolvers are in force from the next start");
    return PICKET_OK;
  }
  void stop() { desk_.stop(); }
  void on_request(std::uint64_t request_id, const picket::plugin::Message& request) { desk_.on_request(request_id, request); }
  void on_credit(std::uint64_t request_id, std::uint64_t bytes) { desk_.on_credit(request_id, bytes); }
  void on_cancel(std::uint64_t request_id) { desk_.on_cancel(request_id); }

 protected:
  using Parse = Outcome<Settings> (*)(std::string_view json);
  CurlPlugin(picket::plugin::Host host, const char* name, Parse parse, Desk::Make make) : host_(host), parse_(parse), desk_(host, name, std::move(make)) {}
  ~CurlPlugin() = default;

  // For what the log says of a source once in the plugin's life.
  [[nodiscard]] bool is_news(const std::string& source) { return told_.size() < 64 && told_.insert(source).second; }

  picket::plugin::Host host_;
  Settings settings_;

 private:
  picket_status take(std::string_view settings_json) {
    auto settings = parse_(settings_json);
    if (!settings) return host_.fail(settings.error().status, settings.error().text);
    settings_ = std::move(*settings);
    return PICKET_OK;
  }

  Parse parse_;
  std::set<std::string> told_;
  Desk desk_;
};

}  // namespace curl_source
