// What a request to a web server names, checked: where to fetch, and how this source wants it. Texts never hold a secret or a whole location.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "curl_source/failure.hpp"
#include "curl_source/proxy.hpp"
#include "picket/source/v1/source.pb.h"

namespace curl_source {

struct HttpSettings {
  bool allow_http = true;
  std::string proxy = "system";
};

struct HttpBase {
  std::string address;        // ends with '/'
  bool is_https = false;
  bool when_https_fails = false;  // to be used only when the one before it, the same place over https, cannot be had
};

struct HttpTarget {
  std::string name;  // of the source, for texts
  std::vector<HttpBase> bases;  // at least one; in the order in which they are tried
  Proxy proxy;
  std::string ca_file, client_certificate, client_key, client_key_password;
  std::string user, password;  // only over https

  [[nodiscard]] bool uses_plain_http() const {
    return std::ranges::any_of(bases, [](const HttpBase& base) { return !base.is_https && !base.when_https_fails; });
  }
};
// Options of a source: mirrors, https_first, proxy, allow_http, ca_file, client_certificate, client_key, client_key_password, user, password.
[[nodiscard]] Outcome<HttpTarget> parse_http_target(const picket::source::v1::Source& source, const HttpSettings& settings);

// The address's scheme, host and port agree with those of `from`, or it is the same host moving from http to https.
[[nodiscard]] bool may_redirect(const std::string& from, const std::string& to);

}  // namespace curl_source
