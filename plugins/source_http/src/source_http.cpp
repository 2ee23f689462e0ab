#include "source_http.hpp"

#include "curl_source/http_transfer.hpp"

namespace source_http {

picket_status SourceHttp::start(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(settings.error().status, settings.error().text);
  settings_ = std::move(*settings);
  told_about_http_.clear();
  desk_.start(settings_.common.loop);
  host_.observed(revision, PICKET_HEALTH_HEALTHY);
  return PICKET_OK;
}

picket_status SourceHttp::apply(std::string_view settings_json, std::uint64_t revision) {
  auto settings = parse_settings(settings_json);
  if (!settings) return host_.fail(settings.error().status, settings.error().text);
  settings_ = std::move(*settings);
  const bool all = desk_.apply(settings_.common.loop);
  host_.observed(revision, PICKET_HEALTH_HEALTHY, all ? "" : "parallel_fetches and fallback_resolvers are in force from the next start");
  return PICKET_OK;
}

curl_source::Outcome<std::unique_ptr<curl_source::Transfer>> SourceHttp::make(curl_source::Order order) {
  auto target = curl_source::parse_http_target(order.request.source(), {settings_.allow_http, settings_.common.proxy});
  if (!target) return tl::unexpected(target.error());
  if (target->uses_plain_http() && told_about_http_.size() < 64 && told_about_http_.insert(target->name).second)
    host_.info("source '" + target->name + "' uses plain http: what it brings is signed, but everybody on the way can see it");
  return std::make_unique<curl_source::HttpTransfer>(std::move(order), std::move(*target), "Picket/" PICKET_PLUGIN_VERSION, shunned_);
}

}  // namespace source_http
