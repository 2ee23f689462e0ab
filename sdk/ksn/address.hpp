// Web addresses as Safe Browsing's public specification canonicalises and hashes them ("URLs and Hashing", v4).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace picket::ksn {

// Unescaped until nothing changes; tab, CR, LF and the fragment stripped; host in lower case without outer and double dots, IP forms as
// dotted decimal, international names as punycode (UTS 46, non-transitional; what IDNA2008 does not allow, such as emoji, stays as it came);
// "." and ".." resolved and slashes collapsed in the path only; bytes <= 0x20, >= 0x7f, '#' and '%' escaped. Port, user and password are
// dropped from expressions, not here. Code::invalid: not an address, of a scheme that is none of the web's (http, https, ftp, ws, wss),
// longer than 8 KiB.
[[nodiscard]] Result<std::string> canonical_address(std::string_view address);

// Up to 5 host suffixes by 6 path prefixes of an address in canonical form, most exact first: "a.b.c/1/2.html?param=1", ..., "b.c/".
[[nodiscard]] std::vector<std::string> address_expressions(std::string_view canonical);

}  // namespace picket::ksn
