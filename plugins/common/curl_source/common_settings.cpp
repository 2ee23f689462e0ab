#include "curl_source/common_settings.hpp"

#include <boost/json.hpp>

#include "curl_source/proxy.hpp"

namespace curl_source {
namespace {

constexpr std::size_t kMostResolvers = 8;

}  // namespace

Outcome<bool> take_common(std::string_view key, const boost::json::value& value, CommonSettings& into) {
  if (key == "proxy" && value.is_string()) {
    into.proxy = value.get_string();
    if (const auto proxy = parse_proxy(into.proxy); !proxy) return failed(PICKET_E_INVALID, "setting proxy: " + proxy.error().text);
    return true;
  }
  if (key == "parallel_fetches" && value.is_int64() && value.get_int64() >= 1 && value.get_int64() <= 16) {
    into.loop.parallel = static_cast<std::size_t>(value.get_int64());
    return true;
  }
  if (key == "fallback_resolvers" && value.is_array() && value.get_array().size() <= kMostResolvers) {
    into.loop.fallback_resolvers.clear();
    for (const auto& item : value.get_array()) {
      if (!item.is_string()) return false;
      std::string address(item.get_string());
      if (const auto good = check_resolver(address); !good) return failed(PICKET_E_INVALID, "setting fallback_resolvers: " + good.error().text);
      into.loop.fallback_resolvers.push_back(std::move(address));
    }
    return true;
  }
  return false;
}

}  // namespace curl_source
