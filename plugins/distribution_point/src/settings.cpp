#include "settings.hpp"

#include <algorithm>

#include <boost/json.hpp>

#include <unistd.h>

#include "base/json_members.hpp"
#include "trust/release.hpp"

namespace distribution_point {
namespace {

namespace json = boost::json;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
using namespace picket::members;

Result<BandwidthRule> parse_rule(const json::object& object) {
  constexpr std::array<std::string_view, 7> days = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
  BandwidthRule rule;
  PICKET_LET(range, picket::AddressRange::parse(text_of(object, "range")));
  rule.range = range;
  rule.bytes_per_second = number_of<std::uint64_t>(object, "kb_per_second") * 1000;
  if (rule.bytes_per_second == 0) return fail(Code::invalid, "kb_per_second must be at least 1");
  if (text_of(object, "from").empty() != text_of(object, "to").empty()) return fail(Code::invalid, "'from' and 'to' are given together, or neither");
  if (const auto from = text_of(object, "from"); !from.empty()) {
    PICKET_LET(minutes, parse_minutes(from));
    rule.window.from = minutes;
  }
  if (const auto to = text_of(object, "to"); !to.empty()) {
    PICKET_LET(minutes, parse_minutes(to));
    rule.window.to = minutes;
  }
  if (const auto& named = list_of(object, "days"); !named.empty()) {
    rule.window.days = 0;
    for (const auto& name : named)
      for (std::size_t day = 0; day < days.size(); ++day)
        if (name.is_string() && std::string_view(name.get_string()) == days[day]) rule.window.days |= 1u << day;
  }
  return rule;
}

Result<> parse_server(const json::object& object, ServerSettings& out) {
  out.addresses = texts_of(object, "listen");
  if (out.addresses.empty()) out.addresses.emplace_back("0.0.0.0");
  out.http_port = number_of(object, "http_port", 13080);
  out.https_port = number_of(object, "https_port", -1);
  out.certificate = text_of(object, "certificate");
  out.key = text_of(object, "key");
  if (out.http_port < 0 && out.https_port < 0) return fail(Code::invalid, "settings http_port and https_port are both off: nothing would be served");
  if (out.https_port >= 0 && (out.certificate.empty() || out.key.empty())) return fail(Code::invalid, "setting https_port needs certificate and key");
  out.threads = number_of<std::size_t>(object, "threads", 0);
  out.most_connections = number_of<std::size_t>(object, "max_connections", 12'000);
  out.most_per_address = number_of<std::size_t>(object, "max_connections_per_address", 1'000);
  out.head_timeout = std::chrono::seconds(number_of(object, "request_timeout_seconds", 10));
  out.idle_timeout = std::chrono::seconds(number_of(object, "idle_timeout_seconds", 75));
  out.send_timeout = std::chrono::seconds(number_of(object, "send_timeout_seconds", 30));
  out.min_bytes_per_second = number_of<std::uint64_t>(object, "min_bytes_per_second", 512);
  out.bulk_bytes = number_of<std::uint64_t>(object, "bulk_kb", 64) * 1024;
  for (const auto& rule : list_of(object, "bandwidth")) {
    if (!rule.is_object()) return fail(Code::invalid, "setting bandwidth: an entry is no object");
    auto parsed = parse_rule(rule.get_object());
    if (!parsed) return fail(std::move(parsed).error(), "setting bandwidth");
    out.bandwidth.push_back(std::move(*parsed));
  }
  return {};
}

Result<> parse_mirror(const json::object& object, MirrorSettings& out) {
  out.name = text_of(object, "name");
  if (out.name.empty()) {
    char host[256] = {};
    if (::gethostname(host, sizeof host - 1) == 0) out.name = host;
  }
  for (const auto& entry : list_of(object, "components")) {
    if (!entry.is_object()) return fail(Code::invalid, "setting components: an entry is no object");
    const auto component = text_of(entry.get_object(), "component");
    if (auto good = picket::trust::check_component_name(component); !good) return fail(std::move(good).error(), "setting components");
    const auto variants = texts_of(entry.get_object(), "variants");
    if (variants.empty()) out.components.push_back({component, "full"});
    for (const auto& variant : variants) out.components.push_back({component, variant});
  }
  out.agent_demand = flag_of(object, "agent_demand", true);
  out.device_demand = flag_of(object, "device_demand", true);
  out.sources = texts_of(object, "sources");
  out.hold_unverified = text_of(object, "unverified") == "hold";
  out.releases = number_of<std::size_t>(object, "releases", 1);
  out.deltas = flag_of(object, "deltas", true);
  out.quota_bytes = number_of<std::uint64_t>(object, "quota_mb", 0) * 1'000'000;
  out.warn_free_bytes = number_of<std::uint64_t>(object, "free_space_warning_mb", 2'000) * 1'000'000;
  out.need_free_bytes = number_of<std::uint64_t>(object, "free_space_needed_mb", 4'000) * 1'000'000;
  out.grace = std::chrono::seconds(number_of(object, "grace_seconds", 3600));
  out.verify_stored = std::chrono::hours(number_of(object, "verify_stored_hours", 24));
  if (const auto rule = text_of(object, "overall_rule"); !rule.empty()) out.overall_rule = rule;
  return {};
}

}  // namespace

Result<Settings> parse_settings(std::string_view text) {
  PICKET_LET(object, settings_from(text));
  Settings out;
  out.enabled = flag_of(object, "enabled", false);
  out.folder = text_of(object, "folder");
  if (out.folder.empty()) out.folder = "/var/lib/picket/distribution-point";
  if (!out.folder.is_absolute()) return fail(Code::invalid, cat("setting folder: '", out.folder.native(), "' is no absolute path"));
  PICKET_TRY(parse_server(object, out.server));
  PICKET_TRY(parse_mirror(object, out.mirror));
  for (const auto& range : list_of(object, "scope")) {
    auto parsed = picket::AddressRange::parse(range.is_string() ? std::string_view(range.get_string()) : std::string_view());
    if (!parsed) return fail(std::move(parsed).error(), "setting scope");
    out.scope.push_back(*parsed);
  }
  out.most_devices = number_of<std::size_t>(object, "max_devices", 10'000);
  out.most_devices_of_address = number_of<std::size_t>(object, "max_devices_per_address", 256);
  out.demand_lasts = std::chrono::hours(24 * number_of(object, "demand_days", 7));
  out.interval = std::chrono::minutes(number_of(object, "interval_minutes", 60));
  out.start_delay = std::chrono::seconds(number_of(object, "start_delay_seconds", 60));
  json::object of_server;
  for (const char* name : {"listen", "http_port", "https_port", "certificate", "key", "threads", "max_connections", "max_connections_per_address", "request_timeout_seconds",
                           "idle_timeout_seconds", "send_timeout_seconds", "min_bytes_per_second", "bulk_kb", "bandwidth"})
    if (const auto* member = object.if_contains(name)) of_server[name] = *member;
  out.server_text = json::serialize(of_server);
  return out;
}

std::chrono::minutes until_next(std::chrono::minutes interval, unsigned failures) {
  return failures == 0 ? interval : std::min(interval, std::chrono::minutes(1u << std::min(failures - 1, 10u)));
}

}  // namespace distribution_point
