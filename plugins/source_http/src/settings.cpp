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
      settings.allow_http = member.value().get_bool();
      continue;
    }
    const auto taken = curl_source::take_common(member.key(), member.value(), settings.common);
    if (!taken) return tl::unexpected(taken.error());
    if (!*taken) return failed(PICKET_E_INVALID, "setting " + std::string(member.key()) + " is unknown or out of range");
  }
  return settings;
}

}  // namespace source_http
