#include "settings.hpp"

#include "base/json_members.hpp"
#include "ksn/limits.hpp"

namespace ksn_service {
namespace {

using picket::Code;
using picket::Result;
using picket::cat;
using picket::fail;
using namespace picket::members;

}  // namespace

Result<Settings> parse_settings(std::string_view text) {
  PICKET_LET(object, settings_from(text));
  Settings out;
  auto& service = out.service;
  out.enabled = flag_of(object, "enabled", out.enabled);
  service.name = text_of(object, "name", service.name);
  service.private_ksn = flag_of(object, "private", service.private_ksn);
  service.store = text_of(object, "store", service.store);
  out.answer_key = text_of(object, "answer_key", out.answer_key);
  out.address = text_of(object, "listen", out.address);
  out.port = number_of(object, "port", out.port);
  out.certificate = text_of(object, "certificate");
  out.key = text_of(object, "key");
  out.threads = number_of(object, "threads", out.threads);
  out.most_connections = number_of(object, "max_connections", out.most_connections);
  service.licences_required = flag_of(object, "licences_required", service.licences_required);
  const auto& ttl = object_of(object, "ttl_seconds");
  service.ttl.trusted = number_of(ttl, "trusted", service.ttl.trusted);
  service.ttl.abusable = number_of(ttl, "abusable", service.ttl.abusable);
  service.ttl.untrusted = number_of(ttl, "untrusted", service.ttl.untrusted);
  service.ttl.unknown = number_of(ttl, "unknown", service.ttl.unknown);
  service.ttl.prefix = number_of(ttl, "prefix", service.ttl.prefix);
  const auto& limits = object_of(object, "limits");
  service.installation_per_minute = number_of(limits, "installation_per_minute", service.installation_per_minute);
  service.address_per_minute = number_of(limits, "address_per_minute", service.address_per_minute);
  service.burst = number_of(limits, "burst", service.burst);
  service.statistics = flag_of(object, "statistics", service.statistics);
  const auto& samples = object_of(object, "samples");
  const auto folder = text_of(samples, "folder");
  service.samples.folder = folder;
  service.samples.quota_bytes = number_of<std::uint64_t>(samples, "quota_mb", 1000) * 1'000'000;
  service.samples.most_bytes = number_of<std::uint64_t>(samples, "most_mb", 50) * 1'000'000;
  service.samples.wish_unknown = flag_of(samples, "wish_unknown", service.samples.wish_unknown);
  service.samples.wish_bytes = number_of<std::uint64_t>(samples, "wish_first_kb") * 1024;
  for (const auto& range : list_of(object, "proxies")) {
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
