#include "directives.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <ctime>

#include "base/bytes.hpp"

namespace ksn_client {
namespace {

namespace json = boost::json;

}  // namespace

std::string_view what_of(v1::ObjectKind kind) {
  return kind == v1::OBJECT_FILE ? "file" : kind == v1::OBJECT_ADDRESS ? "address" : "software";
}

std::string utc(std::int64_t seconds) {
  std::tm parts{};
  const std::time_t time = seconds;
  char text[40] = {};
  if (::gmtime_r(&time, &parts) == nullptr || std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0) return std::to_string(seconds);
  return text;
}

Result<std::int64_t> seconds_of_rfc3339(std::string_view text) {
  const auto bad = [&] { return fail(Code::invalid, cat("'", picket::whole_characters(text, 40), "' is not a time like 2026-11-22T00:00:00Z")); };
  std::tm parts{};
  const std::string copy(text);
  const char* rest = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr || copy.size() > 35 || parts.tm_year < 70) return bad();
  if (*rest == '.') {
    ++rest;
    while (*rest >= '0' && *rest <= '9') ++rest;
  }
  std::int64_t offset = 0;
  if (*rest == 'Z' || *rest == 'z') {
    ++rest;
  } else {
    if (*rest != '+' && *rest != '-') return bad();
    int hours = 0, minutes = 0, used = 0;
    if (std::sscanf(rest + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5 || hours > 23 || minutes > 59) return bad();
    offset = (hours * 3600 + minutes * 60) * (*rest == '+' ? 1 : -1);
    rest += 6;
  }
  if (*rest != '\0') return bad();
  return std::int64_t{::timegm(&parts)} - offset;
}

Result<Directives> Directives::parse(std::string_view text) {
  boost::system::error_code error;
  const auto value = json::parse(text, error);
  if (error || !value.is_object()) return fail(Code::invalid, "directives.json is not a JSON object");
  const auto& members = value.get_object();
  const auto* version = members.if_contains("directives");
  if (version == nullptr || !version->is_int64() || version->get_int64() != 1) return fail(Code::unsupported, "directives.json is not of version 1");
  Directives out;
  const auto* mode = members.if_contains("mode");
  if (mode == nullptr || !mode->is_string()) return fail(Code::invalid, "directives.json: no 'mode'");
  if (mode->get_string() == "normal") out.mode = Mode::normal;
  else if (mode->get_string() == "restricted") out.mode = Mode::restricted;
  else if (mode->get_string() == "stopped") out.mode = Mode::stopped;
  else return fail(Code::invalid, "directives.json: 'mode' is not normal, restricted or stopped");
  if (const auto* until = members.if_contains("until"); until != nullptr) {
    if (!until->is_string()) return fail(Code::invalid, "directives.json: 'until' is not a time");
    auto seconds = seconds_of_rfc3339(std::string_view(until->get_string()));
    if (!seconds) return fail(std::move(seconds).error(), "directives.json: 'until'");
    out.until = *seconds;
  }
  if (const auto* allow = members.if_contains("allow"); allow != nullptr) {
    if (!allow->is_array() || allow->get_array().size() > 16) return fail(Code::invalid, "directives.json: 'allow' is not a list");
    for (const auto& item : allow->get_array()) {
      // A word of a later version allows nothing that we know.
      if (!item.is_string() || item.get_string().size() > 32) return fail(Code::invalid, "directives.json: 'allow' holds something that is no word");
      out.allow.emplace_back(item.get_string());
    }
  }
  if (const auto* reason = members.if_contains("reason"); reason != nullptr && reason->is_string())
    out.reason = picket::plain_line(reason->get_string(), 200);
  return out;
}

bool Directives::permits(std::string_view what, std::int64_t now) const {
  if (!in_force(now)) return true;
  if (mode == Mode::stopped) return false;
  return what == "hello" || std::find(allow.begin(), allow.end(), what) != allow.end();
}

}  // namespace ksn_client
