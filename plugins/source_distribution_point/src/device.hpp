// What can be seen of this computer's place in the network.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "scope.hpp"

namespace source_distribution_point {

// The system's files, as text: parsed apart from reading, for tests.
[[nodiscard]] std::vector<picket::Address> parse_routes_v4(std::string_view proc_net_route);       // default gateways
[[nodiscard]] std::vector<picket::Address> parse_routes_v6(std::string_view proc_net_ipv6_route);
[[nodiscard]] std::vector<std::string> parse_domains(std::string_view resolv_conf);

// Addresses, gateways, domains; the id is the host's name. Never fails: what cannot be seen is not there.
[[nodiscard]] Device look_at_this_device();

}  // namespace source_distribution_point
