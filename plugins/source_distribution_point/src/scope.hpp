// Which devices a distribution point is for. Pure: facts in, yes or no out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "address_range.hpp"

namespace source_distribution_point {

// Where this device is, and who.
struct Device {
  std::string id;
  std::vector<std::string> groups;
  std::vector<picket::Address> addresses, gateways;
  std::vector<std::string> domains;      // lower case
};

// A network location: all that is given must hold. Nothing given holds nowhere.
struct Network {
  std::vector<picket::AddressRange> ranges;    // one of them
  std::vector<picket::Address> gateways;       // one of them
  std::vector<std::string> domains;            // one of them, or a domain below it
  [[nodiscard]] bool contains(const Device& device) const;
};

// One of the lists is enough. All empty: every device.
struct Scope {
  std::vector<std::string> devices, groups;    // "Berlin" is also for its subgroup "Berlin/Floor 2"
  std::vector<Network> networks;
  [[nodiscard]] bool contains(const Device& device) const;
  // "network 10.1.0.0/16", "group Berlin": what made it so, for `explain`; empty when it does not contain the device.
  [[nodiscard]] std::string why(const Device& device) const;
};

}  // namespace source_distribution_point
