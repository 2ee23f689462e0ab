#include "address_range.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace picket {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

Address cleared(Address address, unsigned prefix) {
  for (unsigned bit = prefix; bit < 128; ++bit) address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  return address;
}

bool bits_agree(const Address& a, const Address& b, unsigned bits) {
  const unsigned whole = bits / 8;
  if (!std::equal(a.bytes.begin(), a.bytes.begin() + whole, b.bytes.begin())) return false;
  const unsigned rest = bits % 8;
  return rest == 0 || (a.bytes[whole] ^ b.bytes[whole]) >> (8 - rest) == 0;
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  char copy[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof copy || text.find('\0') != text.npos) return fail(Code::invalid, cat("'", text.substr(0, 60), "' is no network address"));
  std::memcpy(copy, text.data(), text.size());
  Address out;
  if (::inet_pton(AF_INET6, copy, out.bytes.data()) == 1) return out;
  std::copy(kMapped.begin(), kMapped.end(), out.bytes.begin());
  if (::inet_pton(AF_INET, copy, out.bytes.data() + kMapped.size()) == 1) return out;
  return fail(Code::invalid, cat("'", text, "' is no network address"));
}

Result<Address> Address::from(const sockaddr* address) {
  Address out;
  if (address != nullptr && address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof v4);
    std::copy(kMapped.begin(), kMapped.end(), out.bytes.begin());
    std::memcpy(out.bytes.data() + kMapped.size(), &v4.sin_addr, 4);
    return out;
  }
  if (address != nullptr && address->sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof v6);
    std::memcpy(out.bytes.data(), &v6.sin6_addr, 16);
    return out;
  }
  return fail(Code::unsupported, "neither an IPv4 nor an IPv6 address");
}

bool Address::is_v4() const { return std::equal(kMapped.begin(), kMapped.end(), bytes.begin()); }

std::string Address::text() const {
  char out[INET6_ADDRSTRLEN] = {};
  if (is_v4()) ::inet_ntop(AF_INET, bytes.data() + kMapped.size(), out, sizeof out);
  else ::inet_ntop(AF_INET6, bytes.data(), out, sizeof out);
  return out;
}

Result<AddressRange> AddressRange::parse(std::string_view text) {
  const auto slash = text.find('/');
  auto base = Address::parse(text.substr(0, slash));
  if (!base) return fail(Code::invalid, cat("'", text.substr(0, 80), "' is no address range such as 10.0.0.0/8"));
  AddressRange out;
  out.base_ = *base;
  if (slash == text.npos) return out;
  const auto digits = text.substr(slash + 1);
  const unsigned widest = base->is_v4() ? 32 : 128;
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || bits > widest)
    return fail(Code::invalid, cat("'", text, "': the part behind the slash is no number from 0 to ", std::to_string(widest)));
  out.prefix_ = bits + 128 - widest;
  if (const auto meant = around(out.base_, out.prefix_); !(meant.base_ == out.base_)) return fail(Code::invalid, cat("'", text, "': bits behind the prefix are set; ", meant.text(), " is meant?"));
  return out;
}

AddressRange AddressRange::around(const Address& address, unsigned prefix) {
  AddressRange out;
  out.base_ = cleared(address, prefix);
  out.prefix_ = prefix;
  return out;
}

bool AddressRange::contains(const Address& address) const {
  // The mapped form is ours: to people an IPv4 address does not lie in ::/0.
  return base_.is_v4() == address.is_v4() && bits_agree(base_, address, prefix_);
}

std::string AddressRange::text() const { return cat(base_.text(), "/", std::to_string(base_.is_v4() ? prefix_ - 96 : prefix_)); }

}  // namespace picket
