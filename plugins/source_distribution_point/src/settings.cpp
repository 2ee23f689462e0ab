#include "settings.hpp"

#include <boost/json.hpp>

#include <set>

namespace source_distribution_point {
namespace {

namespace json = boost::json;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::vector<std::string> texts_of(const json::object& object, std::string_view name) {
  std::vector<std::string> out;
  if (const auto* value = object.if_contains(name); value != nullptr && value->is_array())
    for (const auto& element : value->get_array())
      if (element.is_string()) out.emplace_back(element.get_string());
  return out;
}

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
  const auto* scope = object.if_contains("scope");
  if (scope == nullptr || !scope->is_object()) return out;
  out.scope.devices = texts_of(scope->get_object(), "devices");
  out.scope.groups = texts_of(scope->get_object(), "groups");
  if (const auto* networks = scope->get_object().if_contains("networks"); networks != nullptr && networks->is_array())
    for (const auto& network : networks->get_array()) {
      if (!network.is_object()) return fail(Code::invalid, cat("point ", out.name, ": a network is no object"));
      auto parsed = parse_network(network.get_object());
      if (!parsed) return fail(std::move(parsed).error(), cat("point ", out.name));
      out.scope.networks.push_back(std::move(*parsed));
    }
  return out;
}

}  // namespace

Result<Settings> parse_settings(std::string_view text) {
  boost::system::error_code error;
  const auto value = json::parse(text, error);
  if (error || !value.is_object()) return fail(Code::invalid, "settings are not a JSON object");
  const auto& object = value.get_object();
  Settings out;
  std::set<std::string> urls;
  if (const auto* points = object.if_contains("points"); points != nullptr && points->is_array())
    for (const auto& one : points->get_array()) {
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
  if (const auto* flag = object.if_contains("announce"); flag != nullptr && flag->is_bool()) out.announce = flag->get_bool();
  if (const auto* flag = object.if_contains("allow_http"); flag != nullptr && flag->is_bool()) out.http.allow_http = flag->get_bool();
  if (auto proxy = text_of(object, "proxy"); !proxy.empty()) {
    if (auto parsed = curl_source::parse_proxy(proxy); !parsed) return fail(Code::invalid, cat("setting proxy: ", parsed.error().text));
    out.http.proxy = std::move(proxy);
  }
  if (const auto* number = object.if_contains("parallel_fetches"); number != nullptr && number->is_int64() && number->get_int64() >= 1)
    out.loop.parallel = static_cast<std::size_t>(number->get_int64());
  return out;
}

}  // namespace source_distribution_point
