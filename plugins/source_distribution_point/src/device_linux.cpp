#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <memory>
#include <sstream>

#include "base/bytes.hpp"
#include "device.hpp"

namespace source_distribution_point {
namespace {

constexpr std::size_t kMost = 64;   // of each kind: more is no help

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  while (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

// These files have no size to be read by.
std::string text_of(const char* path) {
  std::ifstream in(path);
  std::string out(1u << 20, '\0');
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  return out;
}

void add_domain(std::vector<std::string>& out, std::string name) {
  name = lower(std::move(name));
  if (!name.empty() && out.size() < kMost && std::ranges::find(out, name) == out.end()) out.push_back(std::move(name));
}

}  // namespace

std::vector<picket::Address> parse_routes_v4(std::string_view text) {
  std::vector<picket::Address> out;
  std::istringstream lines{std::string(text)};
  std::string line;
  while (std::getline(lines, line) && out.size() < kMost) {
    std::istringstream words(line);
    std::string device, destination, gateway;
    if (!(words >> device >> destination >> gateway) || destination != "00000000" || gateway.size() != 8 || gateway == "00000000") continue;
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(gateway.data(), gateway.data() + gateway.size(), value, 16);
    if (error != std::errc() || end != gateway.data() + gateway.size()) continue;
    // The kernel writes the number as it lies in memory: on little-endian machines the first part is the lowest byte.
    const auto part = [&](unsigned shift) { return std::to_string((value >> shift) & 255u); };
    if (auto address = picket::Address::parse(part(0) + "." + part(8) + "." + part(16) + "." + part(24))) out.push_back(*address);
  }
  return out;
}

std::vector<picket::Address> parse_routes_v6(std::string_view text) {
  std::vector<picket::Address> out;
  std::istringstream lines{std::string(text)};
  std::string line;
  while (std::getline(lines, line) && out.size() < kMost) {
    std::istringstream words(line);
    std::string destination, length, source, source_length, gateway;
    if (!(words >> destination >> length >> source >> source_length >> gateway) || length != "00" || destination != std::string(32, '0') || gateway == std::string(32, '0')) continue;
    const auto bytes = picket::from_hex(gateway);
    if (!bytes || bytes->size() != 16) continue;
    picket::Address address;
    std::copy(bytes->begin(), bytes->end(), address.bytes.begin());
    out.push_back(address);
  }
  return out;
}

std::vector<std::string> parse_domains(std::string_view text) {
  std::vector<std::string> out;
  std::istringstream lines{std::string(text)};
  std::string line;
  while (std::getline(lines, line)) {
    std::istringstream words(line.substr(0, line.find_first_of("#;")));
    std::string keyword, name;
    if (!(words >> keyword) || (keyword != "search" && keyword != "domain")) continue;
    while (words >> name) add_domain(out, name);
  }
  return out;
}

Device look_at_this_device() {
  Device out;
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) == 0) out.id = name;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) == 0) {
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, &::freeifaddrs);
    for (const auto* one = list; one != nullptr && out.addresses.size() < kMost; one = one->ifa_next)
      if (one->ifa_addr != nullptr && (one->ifa_flags & IFF_UP) != 0)
        if (auto address = picket::Address::from(one->ifa_addr)) out.addresses.push_back(*address);
  }
  out.gateways = parse_routes_v4(text_of("/proc/net/route"));
  for (const auto& gateway : parse_routes_v6(text_of("/proc/net/ipv6_route"))) out.gateways.push_back(gateway);
  out.domains = parse_domains(text_of("/etc/resolv.conf"));
  if (const auto dot = out.id.find('.'); dot != out.id.npos) add_domain(out.domains, out.id.substr(dot + 1));
  return out;
}

}  // namespace source_distribution_point
