// How a proxy is named and reached.
#pragma once

#include <string>
#include <string_view>

#include "curl_source/failure.hpp"
#include "curl_source/handles.hpp"

namespace curl_source {

// An empty url with `system` unset means: none.
struct Proxy {
  bool system = false;
  std::string url;  // without credentials
  std::string user, password;
};
// "system", "none", or http://, https://, socks5://, socks5h:// with or without "user:password@".
[[nodiscard]] Outcome<Proxy> parse_proxy(std::string_view text);
// The first error of libcurl's, if any.
[[nodiscard]] CURLcode use_proxy(CURL* easy, const Proxy& proxy);

}  // namespace curl_source
