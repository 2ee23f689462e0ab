#include "settings.hpp"

#include <limits>

#include <boost/json.hpp>

#include "base/json_members.hpp"
#include "ksn/limits.hpp"

namespace ksn_service {
namespace {

namespace json = boost::json;
using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;

// Absent members keep what `out` holds: the defaults of plugin.json, once more in settings.hpp.
void read(const json::object& object, std::string_view name, std::string& out) {
  if (const auto* value = object.if_contains(name); value && value->is_string()) out = std::string(value->get_string());
}
void read(const json::object& object, std::string_view name, bool& out) {
  if (const auto* value = object.if_contains(name); value && value->is_bool()) out = value->get_bool();
}
template <class Number>
void read(const json::object& object, std::string_view name, Number& out) {
  if (const auto* value = object.if_contains(name); value && value->is_int64() && value->get_int64() >= 0 && static_cast<std::uint64_t>(value->get_int64()) <= std::numeric_limits<Number>::max())
    out = static_cast<Number>(value->get_int64());
}
const json::object& part(const json::object& object, std::string_view name) {
  static const json::object none;
  const auto* value = object.if_contains(name);
  return value && value->is_object() ? value->get_object() : none;
}

}  // namespace

Result<Settings> parse_settings(std::string_view text) {
  PICKET_LET(object, picket::members::settings_from(text));
  Settings out;
  auto& service = out.service;
  read(object, "enabled", out.enabled);
  read(object, "name", service.name);
  read(object, "private", service.private_ksn);
  read(object, "store", service.store);
  read(object, "answer_key", out.answer_key);
  read(object, "listen", out.address);
  read(object, "port", out.port);
  read(object, "certificate", out.certificate);
  read(object, "key", out.key);
  read(object, "threads", out.threads);
  read(object, "max_connections", out.most_connections);
  read(object, "licences_required", service.licences_required);
  const auto& ttl = part(object, "ttl_seconds");
  read(ttl, "trusted", service.ttl.trusted);
  read(ttl, "abusable", service.ttl.abusable);
  read(ttl, "untrusted", service.ttl.untrusted);
  read(ttl, "unknown", service.ttl.unknown);
  read(ttl, "prefix", service.ttl.prefix);
  const auto& limits = part(object, "limits");
  read(limits, "installation_per_minute", service.installation_per_minute);
  read(limits, "address_per_minute", service.address_per_minute);
  read(limits, "burst", service.burst);
  read(object, "statistics", service.statistics);
  const auto& samples = part(object, "samples");
  std::string folder;
  read(samples, "folder", folder);
  service.samples.folder = folder;
  std::uint64_t quota_mb = 1000, most_mb = 50;
  read(samples, "quota_mb", quota_mb);
  read(samples, "most_mb", most_mb);
  service.samples.quota_bytes = quota_mb * 1'000'000;
  service.samples.most_bytes = most_mb * 1'000'000;
  read(samples, "wish_unknown", service.samples.wish_unknown);
  std::uint64_t first_kb = 0;
  read(samples, "wish_first_kb", first_kb);
  service.samples.wish_bytes = first_kb * 1024;
  if (const auto* proxies = object.if_contains("proxies"); proxies && proxies->is_array())
    for (const auto& range : proxies->get_array()) {
      auto parsed = picket::AddressRange::parse(range.is_string() ? std::string_view(range.get_string()) : std::string_view());
      if (!parsed) return fail(std::move(parsed).error(), "setting proxies");
      service.proxies.push_back(*parsed);
    }
  if (service.name.empty() || service.name.size() > picket::ksn::kMostTextBytes) return fail(Code::invalid, "setting name: 1 to 256 bytes");
  if (!folder.empty() && !service.samples.folder.is_absolute()) return fail(Code::invalid, cat("setting samples.folder: '", folder, "' is no absolute path"));
  if (!service.store.starts_with('/') && !service.store.starts_with("redis:")) return fail(Code::invalid, cat("setting store: '", service.store, "' is neither an absolute path nor redis:HOST:PORT,..."));
  for (const auto seconds : {service.ttl.trusted, service.ttl.abusable, service.ttl.untrusted, service.ttl.unknown, service.ttl.prefix})
    if (seconds > picket::ksn::kMostTtlSeconds) return fail(Code::invalid, "setting ttl_seconds: more than 30 days");
  return out;
}

}  // namespace ksn_service
