#include <boost/json.hpp>

#include "source_http.hpp"

namespace source_http {

using curl_source::failed;
namespace json = boost::json;

curl_source::Outcome<Settings> parse_settings(std::string_view text) {
  json::error_code error;
  const auto value = json::parse(text, error);
  if (error || !value.is_object()) return failed(PICKET_E_INVALID, "settings are not a JSON object");
  Settings settings;
  for (const auto& member : value.get_object()) {
    if (member.key() == "allow_http" && member.value().is_bool()) {
      settings.http.allow_http = member.value().get_bool();
    } else if (member.key() == "proxy" && member.value().is_string()) {
      settings.http.proxy = member.value().get_string();
      if (const auto proxy = curl_source::parse_proxy(settings.http.proxy); !proxy) return failed(PICKET_E_INVALID, "setting proxy: " + proxy.error().text);
    } else if (member.key() == "parallel_fetches" && member.value().is_int64() && member.value().get_int64() >= 1 && member.value().get_int64() <= 16) {
      settings.loop.parallel = static_cast<std::size_t>(member.value().get_int64());
    } else {
      return failed(PICKET_E_INVALID, "setting " + std::string(member.key()) + " is unknown or out of range");
    }
  }
  return settings;
}

}  // namespace source_http
