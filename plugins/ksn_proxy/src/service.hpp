// What the proxy serves: the paths of the protocol, and a page for people. On the server's threads.
#pragma once

#include <map>
#include <string>

#include "broker.hpp"
#include "forwarder.hpp"
#include "ksn_server/server.hpp"

namespace ksn_proxy {

struct WhoseKsn {
  std::string name;
  bool is_private = true;
  std::string version;           // the proxy's
};

class Service {
 public:
  Service(Broker& broker, Forwarder& forwarder, WhoseKsn whose, std::function<std::int64_t()> now)
      : broker_(broker), forwarder_(forwarder), whose_(std::move(whose)), now_(std::move(now)) {}
  void handle(const ksn_server::Request& request, ksn_server::Reply reply);

 private:
  Broker& broker_;
  Forwarder& forwarder_;
  const WhoseKsn whose_;
  const std::function<std::int64_t()> now_;
};

// What is counted, by name: for the page and for the bus.
[[nodiscard]] std::map<std::string, std::uint64_t> figures(const BrokerCounters& broker, const ForwarderCounters& forwarder, const ksn_server::Counters& server);
// The statistics page. Names and texts may come from anywhere.
[[nodiscard]] std::string status_page(const WhoseKsn& whose, const std::string& state, const std::string& upstream, std::int64_t since,
                                      const std::map<std::string, std::uint64_t>& figures);

}  // namespace ksn_proxy
