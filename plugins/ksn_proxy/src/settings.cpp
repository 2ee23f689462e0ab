#include "settings.hpp"

#include "base/json_members.hpp"

namespace ksn_proxy {
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
  out.enabled = flag_of(object, "enabled", out.enabled);
  out.folder = text_of(object, "folder", "/var/lib/picket/ksn-proxy");
  out.provider_file = text_of(object, "provider_file", "/etc/picket/ksn/provider.json");
  out.provider_keys = text_of(object, "provider_keys", "/etc/picket/trust/ksn");
  out.servers = texts_of(object, "servers");
  out.web_proxy = text_of(object, "web_proxy");
  out.resolvers = texts_of(object, "resolvers");
  out.names = texts_of(object, "names");
  if (!out.folder.starts_with('/')) return fail(Code::invalid, cat("setting folder: '", out.folder, "' is no absolute path"));

  auto& server = out.server;
  server.address = text_of(object, "address", "::");
  server.port = number_of<std::uint16_t>(object, "port", 13111);
  server.certificate_file = text_of(object, "certificate");
  server.key_file = text_of(object, "key");
  if (server.certificate_file.empty() != server.key_file.empty()) return fail(Code::invalid, "settings certificate and key: give both, or neither");
  server.threads = number_of<unsigned>(object, "threads", 1);
  server.most_connections = number_of<std::size_t>(object, "max_connections", 10'000);
  server.most_per_peer = number_of<std::size_t>(object, "max_connections_per_address", 1'000);
  server.idle = std::chrono::seconds(number_of<std::int64_t>(object, "idle_timeout_seconds", 60));

  auto& broker = out.broker;
  broker.cache_bytes = number_of<std::size_t>(object, "cache_mb", 64) << 20;
  broker.gather = std::chrono::milliseconds(number_of<std::int64_t>(object, "gather_ms", 2));
  broker.deadline = std::chrono::milliseconds(number_of<std::int64_t>(object, "answer_timeout_ms", 5000));

  auto& forwarder = out.forwarder;
  forwarder.folder = std::filesystem::path(out.folder) / "outbox";
  forwarder.limits.bytes = number_of<std::uint64_t>(object, "outbox_mb", 256) << 20;
  forwarder.most_per_address = number_of<std::uint64_t>(object, "outbox_mb_per_address", 32) << 20;
  forwarder.keeps_seconds = number_of<std::int64_t>(object, "outbox_days", 7) * 86400;
  broker.keeps_for = std::chrono::seconds(forwarder.keeps_seconds);
  out.rest.longest = std::chrono::seconds(number_of<std::int64_t>(object, "longest_rest_seconds", 60));
  return out;
}

}  // namespace ksn_proxy
