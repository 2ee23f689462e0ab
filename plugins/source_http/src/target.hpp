// What a request names, checked: where to fetch, and how this source wants it. Texts never hold a secret or a whole location.
#pragma once

#include <string>
#include <string_view>

#include "failure.hpp"
#include "picket/source/v1/source.pb.h"

namespace source_http {

struct Settings {
  bool allow_http = true;
  std::string proxy = "system";
  std::size_t parallel_fetches = 4;
};
[[nodiscard]] Outcome<Settings> parse_settings(std::string_view json);

// How a proxy is reached. An empty url with `system` unset means: none.
struct Proxy {
  bool system = false;
  std::string url;  // without credentials
  std::string user, password;
};
// "system", "none", or http://, https://, socks5://, socks5h:// with or without "user:password@".
[[nodiscard]] Outcome<Proxy> parse_proxy(std::string_view text);

struct Target {
  std::string name;     // of the source, for texts
  std::string base;     // ends with '/'
  std::string host;     // of the base, for comparing
  bool is_https = false;
  Proxy proxy;
  std::string ca_file, client_certificate, client_key, client_key_password;
  std::string user, password;  // only over https
};
// Options of a source: proxy, allow_http, ca_file, client_certificate, client_key, client_key_password, user, password.
[[nodiscard]] Outcome<Target> parse_target(const picket::source::v1::Source& source, const Settings& settings);

// Appends a relative, percent-encoded path. INVALID when it could leave the base.
[[nodiscard]] Outcome<std::string> address_of(const Target& target, std::string_view path);

// The address's scheme, host and port agree with those of `from`, or it is the same host moving from http to https.
[[nodiscard]] bool may_redirect(const std::string& from, const std::string& to);

}  // namespace source_http
