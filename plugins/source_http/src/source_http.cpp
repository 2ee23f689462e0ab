#include "source_http.hpp"

namespace source_http {

curl_source::Outcome<std::unique_ptr<curl_source::Transfer>> SourceHttp::make(curl_source::Order order) {
  auto target = curl_source::parse_http_target(order.request.source(), {settings_.allow_http, settings_.common.proxy});
  if (!target) return tl::unexpected(target.error());
  if (target->uses_plain_http() && is_news(target->name))
    host_.info("source '" + target->name + "' uses plain http: what it brings is signed, but everybody on the way can see it");
  return std::make_unique<curl_source::HttpTransfer>(std::move(order), std::move(*target), "Picket/" PICKET_PLUGIN_VERSION, shunned_, plain_places_);
}

}  // namespace source_http
