#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

struct sockaddr;

namespace picket {

// IPv4 as its IPv6-mapped form, so that a dual-stack socket's peer and a plain one are the same address.
struct Address {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const Address&) const = default;

  [[nodiscard]] static Result<Address> parse(std::string_view text);   // no zone, no port
  [[nodiscard]] static Result<Address> from(const sockaddr* address);  // AF_INET, AF_INET6
  [[nodiscard]] bool is_v4() const;
  [[nodiscard]] std::string text() const;
};

class AddressRange {
 public:
  // "10.1.0.0/16", "fd00::/8", or one address. Bits behind the prefix must be zero: "10.1.2.3/16" is a mistake that somebody should hear of.
  [[nodiscard]] static Result<AddressRange> parse(std::string_view text);
  // The range of that width which an address lies in; none does where contains() says no: IPv4 in a range wider than all of IPv4.
  [[nodiscard]] static AddressRange around(const Address& address, unsigned prefix);
  [[nodiscard]] bool contains(const Address& address) const;
  [[nodiscard]] unsigned prefix() const { return prefix_; }  // of the 128-bit form; longer is narrower
  [[nodiscard]] std::string text() const;

 private:
  Address base_;
  unsigned prefix_ = 128;
};

}  // namespace picket
