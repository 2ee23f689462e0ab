#include "settings.hpp"

#include <boost/json.hpp>

#include <set>

#include "base/json_members.hpp"
#include "curl_source/common_settings.hpp"

namespace source_distribution_point {
namespace {

namespace json = boost::json;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
using namespace picket::members;

Result<Network> parse_network(const json::object& object) {
  Network out;
  for (const auto& text : texts_of(object, "ranges")) {
    PICKET_LET(range, picket::AddressRange::parse(text));
    out.ranges.push_back(range);
  }
  for (const auto& text : texts_of(object, "gateways")) {
    PICKET_LET(gateway, picket::Address::parse(text));
    out.gateways.push_back(gateway);
  }
  for (auto& domain : texts_of(object, "domains")) {
    for (char& c : domain)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    if (domain.ends_with('.')) domain.pop_back();
    out.domains.push_back(std::move(domain));
  }
  if (out.ranges.empty() && out.gateways.empty() && out.domains.empty()) return fail(Code::invalid, "a network names no ranges, no gateways and no domains");
  return out;
}

Result<Point> parse_point(const json::object& object) {
  Point out;
  out.name = text_of(object, "name");
  out.url = text_of(object, "url");
  out.ca_file = text_of(object, "ca_file");
  if (!out.url.ends_with('/')) out.url += '/';
  if (out.name.empty()) out.name = out.url;
  const auto& scope = object_of(object, "scope");
  out.scope.devices = texts_of(scope, "devices");
  out.scope.groups = texts_of(scope, "groups");
  for (const auto& network : list_of(scope, "networks")) {
    if (!network.is_object()) return fail(Code::invalid, cat("point ", out.name, ": a network is no object"));
    auto parsed = parse_network(network.get_object());
    if (!parsed) return fail(std::move(parsed).error(), cat("point ", out.name));
    out.scope.networks.push_back(std::move(*parsed));
  }
  return out;
}

}  // namespace

Result<Settings> parse_settings(std::string_view text) {
  PICKET_LET(object, settings_from(text));
  Settings out;
  std::set<std::string> urls;
  for (const auto& one : list_of(object, "points")) {
    if (!one.is_object()) return fail(Code::invalid, "setting points: an entry is no object");
    auto point = parse_point(one.get_object());
    if (!point) return fail(std::move(point).error(), "setting points");
    // The same checks that a fetch makes, while somebody is there to read them.
    picket::source::v1::Source source;
    source.set_name(point->name);
    source.set_location(point->url);
    if (auto target = curl_source::parse_http_target(source, {}); !target) return fail(Code::invalid, cat("setting points: ", target.error().text));
    if (!point->ca_file.empty() && point->ca_file.front() != '/') return fail(Code::invalid, cat("setting points: point ", point->name, ": ca_file is no absolute path"));
    if (!urls.insert(point->url).second) return fail(Code::invalid, cat("setting points: ", point->url, " occurs twice"));
    out.points.push_back(std::move(*point));
  }
  out.device = text_of(object, "device");
  out.groups = texts_of(object, "groups");
  out.announce = flag_of(object, "announce", out.announce);
  out.http.allow_http = flag_of(object, "allow_http", out.http.allow_http);
  if (auto proxy = text_of(object, "proxy"); !proxy.empty()) {
    if (auto parsed = curl_source::parse_proxy(proxy); !parsed) return fail(Code::invalid, cat("setting proxy: ", parsed.error().text));
    out.http.proxy = std::move(proxy);
  }
  if (const auto* resolvers = object.if_contains("fallback_resolvers")) {
    curl_source::CommonSettings common;
    const auto taken = curl_source::take_common("fallback_resolvers", *resolvers, common);
    if (!taken) return fail(Code::invalid, taken.error().text);
    if (!*taken) return fail(Code::invalid, "setting fallback_resolvers is no list of texts, or too long");
    out.loop.fallback_resolvers = std::move(common.loop.fallback_resolvers);
  }
  if (const auto number = number_of<std::size_t>(object, "parallel_fetches"); number >= 1) out.loop.parallel = number;
  return out;
}

}  // namespace source_distribution_point
