// What a request names, checked: where to fetch, and how this source wants it. Texts never hold a secret or a whole location.
#pragma once

#include <string>
#include <string_view>

#include "curl_source/common_settings.hpp"
#include "curl_source/failure.hpp"
#include "curl_source/proxy.hpp"
#include "picket/source/v1/source.pb.h"

namespace source_ftp {

struct Settings {
  bool allow_plain = true;
  curl_source::CommonSettings common{.proxy = "none", .loop = {.parallel = 2}};
};
[[nodiscard]] curl_source::Outcome<Settings> parse_settings(std::string_view json);

struct Target {
  enum class Scheme { ftp, ftps, sftp } scheme = Scheme::ftp;
  std::string name;  // of the source, for texts
  std::string base;  // ends with '/'
  curl_source::Proxy proxy;
  std::string user, password;
  bool tls = false, active = false;
  std::string ca_file, client_certificate, client_key, client_key_password;
  std::string known_hosts, host_key_sha256, key_file, key_password;

  [[nodiscard]] bool is_plain() const { return scheme == Scheme::ftp && !tls; }
};
[[nodiscard]] curl_source::Outcome<Target> parse_target(const picket::source::v1::Source& source, const Settings& settings);

}  // namespace source_ftp
