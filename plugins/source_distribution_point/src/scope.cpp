#include "scope.hpp"

#include <algorithm>

namespace source_distribution_point {
namespace {

bool lies_below(std::string_view name, std::string_view parent, char separator) {
  return name == parent || (name.size() > parent.size() && name.starts_with(parent) && name[parent.size()] == separator);
}
bool is_domain_below(std::string_view name, std::string_view parent) {
  return name == parent || (name.size() > parent.size() && name.ends_with(parent) && name[name.size() - parent.size() - 1] == '.');
}

}  // namespace

bool Network::contains(const Device& device) const {
  if (ranges.empty() && gateways.empty() && domains.empty()) return false;
  const bool in_range = ranges.empty() || std::ranges::any_of(device.addresses, [&](const auto& address) {
                          return std::ranges::any_of(ranges, [&](const auto& range) { return range.contains(address); });
                        });
  const bool behind = gateways.empty() || std::ranges::any_of(device.gateways, [&](const auto& gateway) { return std::ranges::find(gateways, gateway) != gateways.end(); });
  const bool in_domain = domains.empty() || std::ranges::any_of(device.domains, [&](const auto& own) {
                           return std::ranges::any_of(domains, [&](const auto& domain) { return is_domain_below(own, domain); });
                         });
  return in_range && behind && in_domain;
}

std::string Scope::why(const Device& device) const {
  if (devices.empty() && groups.empty() && networks.empty()) return "for every device";
  if (std::ranges::find(devices, device.id) != devices.end()) return "names this device";
  for (const auto& group : groups)
    for (const auto& own : device.groups)
      if (lies_below(own, group, '/')) return "group " + group;
  for (const auto& network : networks) {
    if (!network.contains(device)) continue;
    if (!network.ranges.empty()) return "network " + network.ranges.front().text();
    if (!network.gateways.empty()) return "gateway " + network.gateways.front().text();
    return "domain " + network.domains.front();
  }
  return {};
}

bool Scope::contains(const Device& device) const { return !why(device).empty(); }

}  // namespace source_distribution_point
