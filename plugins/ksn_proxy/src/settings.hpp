// The settings as the host hands them over: validated against the schema, defaults filled in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "broker.hpp"
#include "forwarder.hpp"
#include "ksn_server/server.hpp"
#include "lines.hpp"

namespace ksn_proxy {

struct Settings {
  bool enabled = false;
  std::string folder;
  std::string provider_file, provider_keys;
  std::vector<std::string> servers;      // instead of the provider's
  std::string web_proxy;
  std::vector<std::string> resolvers;
  std::vector<std::string> names;        // for a certificate of its own
  ksn_server::Settings server;
  BrokerSettings broker;
  ForwarderSettings forwarder;
  Lines::Rest rest;

  [[nodiscard]] std::string place() const { return picket::cat(server.address, " ", std::to_string(server.port)); }  // names its socket
};

[[nodiscard]] picket::Result<Settings> parse_settings(std::string_view json);

}  // namespace ksn_proxy
